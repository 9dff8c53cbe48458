import { expect, test } from 'vitest'
import {
  LAUNCH_LIMIT_MS,
  type RecoveryVerdict,
  type RunFacts,
  recoveryVerdict,
} from '../../src/domain/recovery.ts'

const exited = { kind: 'exited', code: 0 } as const
const at = 1_000_000
const soon = at + 100
const late = at + LAUNCH_LIMIT_MS + 1
const dayBefore = at - 86_400_000

const rows: [string, RunFacts, number, RecoveryVerdict][] = [
  ['nothing was launched', run(null, null, null, null), soon, 'relaunch'],
  ['launched, not yet written down', run(at, null, null, null), soon, 'wait'],
  ['launched, the wrapper is up', run(at, null, 'alive', null), soon, 'wait'],
  ['launched, the wrapper died first', run(at, null, 'dead', null), soon, 'relaunch'],
  ['launched long ago, nobody came', run(at, null, null, null), late, 'relaunch'],
  ['launched on a clock that was set back since', run(at, null, null, null), dayBefore, 'relaunch'],
  ['the same where it lives', run(at, 'alive', 'alive', null), dayBefore, 'adopt'],
  ['launched long ago where we cannot see', run(at, null, 'unknown', null), late, 'wait'],
  ['both live', run(at, 'alive', 'alive', null), soon, 'adopt'],
  ['the wrapper was killed, the agent lives', run(at, 'alive', 'dead', null), late, 'adopt'],
  ['the agent died, the wrapper is writing', run(at, 'dead', 'alive', null), soon, 'adopt'],
  ['both died', run(at, 'dead', 'dead', null), soon, 'reap'],
  ['the agent died, of the wrapper nothing is known', run(at, 'dead', null, null), soon, 'reap'],
  ['another machine or namespace', run(at, 'unknown', 'unknown', null), late, 'wait'],
  ['it said how it ended', run(at, 'dead', 'dead', exited), soon, 'collect'],
  ['it said how, though a pid lives on', run(at, 'alive', 'alive', exited), soon, 'collect'],
]

function run(
  launchedAt: number | null,
  agent: RunFacts['agent'],
  wrapper: RunFacts['wrapper'],
  exit: RunFacts['exit'],
): RunFacts {
  return { launchedAt, agent, wrapper, exit }
}

test.each(rows)('%s', (_, facts, now, verdict) => {
  expect(recoveryVerdict(facts, now)).toBe(verdict)
})
