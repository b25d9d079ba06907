# layers.txt -> one word per folder for the Makefile: folder:all,folders,it,links:all,libraries,it,needs
function close_over(f, seen,    n, i, a) {
    if (f in seen) return
    seen[f] = 1
    folders = folders (folders == "" ? "" : ",") f
    n = split(libs[f], a, " ")
    for (i = 1; i <= n; i++)
        if (!((a[i]) in have)) { have[a[i]] = 1; outside = outside (outside == "" ? "" : ",") a[i] }
    n = split(may[f], a, " ")
    for (i = 1; i <= n; i++) close_over(a[i], seen)
}
BEGIN { FS = "|" }
/^[ \t]*(#|$)/ { next }
{ gsub(/[ \t]/, "", $1); order[++count] = $1; may[$1] = $2; libs[$1] = $3 }
END {
    for (k = 1; k <= count; k++) {
        f = order[k]
        if (may[f] ~ /\*/) continue
        split("", seen); split("", have); folders = ""; outside = ""
        close_over(f, seen)
        printf "%s:%s:%s ", f, folders, outside
    }
}
