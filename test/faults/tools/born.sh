# The wrapper-to-be: in a process session of its own, and not yet its own program.
. "${0%/*}/../stand.sh"
reach wrapper.born
if [ -e "$FAULT_POINTS/wrapper.written" ]; then
  # $5 is the run directory. The wrapper opens `stdin` after it has written itself down, and waits
  # there for somebody who writes: the matrix puts the file back.
  command -p mv "$5/stdin" "$5/stdin.kept" && command -p mkfifo -m 600 "$5/stdin"
  command -p mv "$FAULT_POINTS/wrapper.written" "$FAULT_POINTS/wrapper.written.reached"
fi
exec "$@"
