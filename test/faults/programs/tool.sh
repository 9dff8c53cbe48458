#!/bin/sh
# A tool in a process session of its own, which outlives an agent that is killed.
. "${0%/*}/../stand.sh"
: >"$KEEPER/alive/$$"
printf 'begun by a tool\n' >tool.txt
reach agent.mid-tool
printf 'begun by a tool\nended by a tool\n' >tool.txt
