/** The process table of Linux: `/proc`. */
import { readFileSync } from 'node:fs'
import type { Liveness } from '../../domain/recovery.ts'
import type { LocalIdentity, Place, ProcessTable } from '../../ports/process-table.ts'
import { findOwnSession } from '../own-session.ts'
import { readIfAllowed } from './environment.ts'
import { readPlace } from './place.ts'
import { forBearers, makeChase, readCommands, scanProcesses } from './scan.ts'
import { hasDied, readStat } from './stat.ts'
import { watchProcess } from './watch.ts'

/**
 * Builtins only, so that no other process is mistaken for the shell. The name of the program stands
 * in parentheses and may hold anything: count from the last one.
 */
const SHELL_IDENTIFY = `identify() {
  read -r HOLDFAST_STAT </proc/self/stat
  set -- \${HOLDFAST_STAT##*\\) }
  unset HOLDFAST_STAT
  echo "$$ \${20}"
}`

/** Linux shows times in hundredths of a second, whatever the kernel counts in (man 7 time). */
const MS_PER_TICK = 10

/** 0 where it may not be seen, or is gone. */
function readIoBytes(pid: number): number {
  const text = readIfAllowed(() => readFileSync(`/proc/${pid}/io`, 'latin1')) ?? ''
  const counts = [...text.matchAll(/^[rw]char: (\d+)$/gm)]
  return counts.reduce((sum, [, count]) => sum + Number(count), 0)
}

function liveness({ pid, startTime }: LocalIdentity): Liveness {
  const stat = readStat(pid)
  return stat !== undefined && stat.startTime === startTime && !hasDied(stat) ? 'alive' : 'dead'
}

export function makeLinuxTable(): ProcessTable {
  let here: Place | undefined
  const place = () => {
    here ??= readPlace()
    return here
  }
  return {
    place,
    self() {
      const stat = readStat(process.pid)
      if (stat === undefined) throw new Error('/proc does not show this process')
      return { ...place(), pid: stat.pid, startTime: stat.startTime }
    },
    liveness,
    watch: process => watchProcess(process, liveness),
    isSuspended({ pid, startTime }) {
      const stat = readStat(pid)
      // By a signal, or by who traces it.
      return stat?.startTime === startTime && ['T', 't'].includes(stat.state)
    },
    find(pid) {
      const stat = readStat(pid)
      return stat === undefined || hasDied(stat) ? undefined : stat
    },
    scan: scanProcesses,
    makeChase,
    forBearers,
    exertionOf({ pid, startTime }) {
      const stat = readStat(pid)
      if (stat?.startTime !== startTime) return undefined
      return { cpuMs: stat.ticks * MS_PER_TICK, ioBytes: readIoBytes(pid) }
    },
    commandsOf: readCommands,
    ownCommandLine: () => readIfAllowed(() => readFileSync('/proc/self/cmdline')),
    shellIdentify: SHELL_IDENTIFY,
    ownSession: toolPath => findOwnSession(['setsid', 'perl'], toolPath),
  }
}
