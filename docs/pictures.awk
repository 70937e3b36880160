# Doxygen's filter for Markdown: the pictures of states become Graphviz ones.
/^```mermaid/ {
    inside = 1
    print "@dot"
    print "digraph states {"
    print "rankdir = LR; fontname = Helvetica"
    print "node [shape = box, style = rounded, fontname = Helvetica, fontsize = 10]"
    print "edge [fontname = Helvetica, fontsize = 9]"
    print "begin [shape = point, width = 0.12]"
    next
}
inside && /^```/ {
    inside = 0
    print "}"
    print "@enddot"
    next
}
inside {
    if (split($0, ends, / *--> */) != 2)
        next
    gsub(/^ +/, "", ends[1])
    sub(/\[\*\]/, "begin", ends[1])
    label = ends[2]
    if (sub(/^[^:]*: */, "", label) == 0)
        label = ""
    sub(/:.*/, "", ends[2])
    printf "%s -> %s [label = \"%s\"]\n", ends[1], ends[2], label
    next
}
{ print }
