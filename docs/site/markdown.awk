# Doxygen's filter for Markdown. Headings get names: "## Who goes first" of docs/http.md is http-who-goes-first, and
# the page is http.html. Links lead to these, pages have a table of contents, the pictures of states become Graphviz's.

# Paths are as seen from README.md, which is in ROOT.
function page_of(path) {
    if (!sub(/^docs\//, "", path))
        return "index"
    sub(/\.md$/, "", path)
    gsub(/\//, "_", path)
    return path
}

function anchor_of(heading) {
    heading = tolower(heading)
    gsub(/[^a-z0-9_ -]/, "", heading)
    gsub(/ /, "-", heading)
    return heading
}

function resolved(folder, target) {
    target = folder target
    while (sub(/[^\/]+\/\.\.\//, "", target))
        ;
    return target
}

function site_link(target,    at, anchor) {
    at = index(target, "#")
    anchor = at ? substr(target, at + 1) : ""
    target = at ? substr(target, 1, at - 1) : target
    target = target == "" ? page : page_of(resolved(folder, target))
    return target ".html" (anchor == "" ? "" : "#" target "-" anchor)
}

function with_links(line,    done, target) {
    while (match(line, /\]\([^ ():]*(\.md|\.md#[^ ():]*|\.svg)\)|\]\(#[^ ():]*\)/)) {
        target = substr(line, RSTART + 2, RLENGTH - 3)
        if (target ~ /\.svg$/) {
            target = resolved(folder, target)
            sub(/^docs\//, "", target)
        } else {
            target = site_link(target)
        }
        done = done substr(line, 1, RSTART - 1) "](" target ")"
        line = substr(line, RSTART + RLENGTH)
    }
    return done line
}

# Doxygen ends `a 'b' c` at the apostrophe, but not ``a 'b' c``.
function with_apostrophes(line,    parts, count, i, done) {
    count = split(line, parts, "`")
    if (count % 2 == 0 || line ~ /``/)
        return line
    for (i = 1; i <= count; ++i)
        done = done (i % 2 ? parts[i] : parts[i] ~ /'/ ? "``" parts[i] "``" : "`" parts[i] "`")
    return done
}

# LABEL in two lines, if it is long.
function wrapped(label,    length_, at, best) {
    length_ = length(label)
    for (at = 1; length_ > 13 && at <= length_; ++at)
        if (substr(label, at, 1) == " " && (!best || (2 * at - length_) ^ 2 < (2 * best - length_) ^ 2))
            best = at
    return best ? substr(label, 1, best - 1) "\\n" substr(label, best + 1) : label
}

FNR == 1 {
    file = FILENAME
    root = ENVIRON["ROOT"] "/"
    if (index(file, root) == 1)
        file = substr(file, length(root) + 1)
    page = page_of(file)
    folder = file
    sub(/[^\/]*$/, "", folder)
}

/^```mermaid/ {
    picture = page "-" ++pictures ".svg"
    dot = "dot -Tsvg -o bin/docs/" picture
    print "digraph states {" \
        "rankdir = LR; ranksep = 0.2; nodesep = 0.15; bgcolor = transparent;" \
        "node [shape = box, style = rounded, fontname = Helvetica, fontsize = 12];" \
        "edge [fontname = Helvetica, fontsize = 11];" \
        "begin [shape = point, width = 0.12]" | dot
    next
}
picture && /^```/ {
    print "}" | dot
    close(dot)
    print "<img class=\"states\" src=\"" picture "\" alt=\"" heading "\"/>"
    picture = ""
    next
}
picture {
    if (split($0, ends, / *--> */) != 2)
        next
    gsub(/^ +/, "", ends[1])
    sub(/\[\*\]/, "begin", ends[1])
    label = ends[2]
    if (sub(/^[^:]*: */, "", label) == 0)
        label = ""
    sub(/:.*/, "", ends[2])
    printf "%s -> %s [label = \"%s\"]\n", ends[1], ends[2], wrapped(label) | dot
    next
}

/^ *```/ { fenced = !fenced }
fenced || /^    / { print; next }

/^# / {
    print page == "index" ? $0 : $0 " {#" page "}\n\n[TOC]\n"
    next
}
/^##+ / {
    heading = $0
    sub(/^#+ +/, "", heading)
    gsub(/`/, "", heading)
    name = page "-" anchor_of(heading)
    # A section of the main page would be in the side bar.
    print page == "index" ? "<h1 id=\"" name "\">" heading "</h1>" : $1 " " heading " {#" name "}"
    next
}
{ print with_links(with_apostrophes($0)) }
