#!/bin/sh
# Outlives the sandbox's parent by a moment, whatever ended it, SIGKILL included: reads "watch PID" and "forget PID" lines
# from a pipe, and when the pipe closes kills every process still watched, with its children, and removes the folder $1.
trap '' INT TERM HUP
folder=$1
watched=' '

while IFS=' ' read -r verb pid; do
  case $verb in
    watch) watched="$watched$pid " ;;
    forget) watched="${watched%% "$pid" *} ${watched#* "$pid" }" ;;
  esac
done

kill_tree() {
  # A stopped server cannot start further children while we look.
  kill -STOP "$1" 2>/dev/null || return
  for status in $(grep -ls "^PPid:[[:space:]]*$1\$" /proc/[0-9]*/status); do
    child=${status#/proc/}
    (kill_tree "${child%/status}")
  done
  kill -KILL "$1" 2>/dev/null
}

for pid in $watched; do kill_tree "$pid"; done
for attempt in 1 2 3 4 5 6 7 8 9 10; do
  rm -rf "$folder" 2>/dev/null && exit 0
  sleep 0.2
done
