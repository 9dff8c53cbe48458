# What readies a worktree: begun anew, it comes to the same.
. "${READY%/*}/../stand.sh"
printf 'half' >prepared.txt
reach agent.readied
printf 'prepared from %s' "$(cat ignored.env)" >prepared.txt
