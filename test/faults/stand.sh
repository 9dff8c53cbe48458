# For the programs beside this file: `reach POINT` stands still there if the matrix has armed it.
reach() {
  [ -e "$FAULT_POINTS/$1" ] || return 0
  command -p mv "$FAULT_POINTS/$1" "$FAULT_POINTS/$1.reached" 2>/dev/null || return 0
  echo $$ >"$FAULT_POINTS/$1.pid"
  looks=0
  # A matrix that was killed tells nobody to go on.
  while [ ! -e "$FAULT_POINTS/$1.go" ] && [ -d "$FAULT_POINTS" ] && [ "$looks" -lt 2400 ]; do
    sleep 0.05
    looks=$((looks + 1))
  done
}
