#!/bin/bash
# The same as events.mjs, with curl -N: events.sh URL KEY
last='' ready='' event=''
while :; do
    while IFS= read -r line; do
        case $line in
        id:*) last=${line#id: } ;;
        event:*) event=${line#event: } ;;
        data:*)
            [ "$event" != resync ] || echo resync
            [ "$event" != job.ended ] ||
                sed -E 's/.*"batch_id":"([^"]*)","job":([0-9]+).*/\1 \2/' <<<"$line"
            if [ "$event" = batch.completed ] && [[ $line == *'"batch_name":"last"'* ]]; then
                exit 0
            fi
            ;;
        '') event=''
            [ "$ready" ] || echo ready
            ready=yes ;;
        esac
    done < <(curl -sN -H "X-Api-Key: $2" ${last:+-H "Last-Event-ID: $last"} "$1")
    sleep 0.1
done
