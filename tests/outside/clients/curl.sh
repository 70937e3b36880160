#!/bin/sh
# curl.sh URL [OPTION...]: makes the requests of its standard input, with these options of curl.
# Each is a line: method, target, body (a file, +FILE to be sent in chunks, or -) and fields,
# between tabs. Prints the status of each.

url=$1
shift
tab=$(printf '\t')

while IFS=$tab read -r method target body fields; do
    (
        case $body in
        -) ;;
        +*) set -- --data-binary "@${body#+}" -H 'Transfer-Encoding: chunked' "$@" ;;
        *) set -- --data-binary "@$body" "$@" ;;
        esac
        IFS=$tab
        set -f
        for field in $fields; do
            set -- -H "$field" "$@"
        done
        curl -q -sS --noproxy '*' -o /dev/null -w '%{http_code}' -X "$method" "$@" "$url$target" \
            </dev/null
    )
    status=$?
    [ "$status" -eq 0 ] || printf ' error: curl ended with status %s' "$status"
    echo
done
