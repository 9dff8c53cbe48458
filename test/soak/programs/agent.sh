#!/bin/sh
# An agent that misbehaves: agent.sh BEHAVIOUR. It first does its work, and writes down that it has
# ($SOAK/did/<task>), so that whoever counts knows what must come home.
task=${HOLDFAST_ATTEMPT%%.*}
fence=${HOLDFAST_ATTEMPT#*.}
fence=${fence%%.*}
did() {
  printf 'made by %s\n' "$task" >"work-$task.txt" && : >"$SOAK/did/$task"
}
did
case $1 in
ok) ;;
slow) sleep 1.5 ;;
# Twice, then it comes through.
crash) [ "$fence" -gt 2 ] || kill -9 $$ ;;
fail)
  echo 'it cannot be done' >&2
  exit 3
  ;;
hang) exec sleep 1000 ;;
deaf)
  trap '' HUP INT QUIT TERM
  sleep 1000 &
  while :; do wait; done
  ;;
closed)
  exec >&- 2>&-
  sleep 1
  ;;
fork)
  setsid sleep 1000 &
  (cd / && exec sleep 1000) &
  (cd / && setsid nohup sleep 1000 >/dev/null 2>&1 &)
  # In its worktree without a mark.
  env -i setsid sleep 1000 &
  ;;
loud) yes 'a line of no interest, and another one, and many more of the same kind' | head -c 6000000 ;;
# The directory that it stands in.
delete)
  rm -f "$SOAK/did/$task"
  rm -rf "$PWD"
  ;;
ignored)
  mkdir -p node_modules/deep
  printf 'SECRET=%s\n' "$task" >ignored.env
  head -c 100000 /dev/zero >node_modules/deep/blob
  ;;
commit)
  git add "work-$task.txt"
  git commit --quiet --message="by $task"
  git checkout --quiet -b "mine-$task" 2>/dev/null
  ;;
esac
exit 0
