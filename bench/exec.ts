/**
 * From the start of `run` to the agent's first instruction, beside a plain `git worktree add` of
 * the same repository. The agent is `date`, whose output says when it ran.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { interleave, runProgram, spreadOf, timeProgram } from './measure.ts'
import { type Home, type Place, RUN_COMMAND } from './place.ts'
import { type Row, shownMs, shownSpread, verdictOf } from './table.ts'

/** Beyond what git takes for the worktree, in seconds. */
const BAR_S = 0.3

const CASES = [
  { name: 'small', files: 1_000, rounds: { count: 15, warmUp: 2 } },
  // Two times 20,000 files are written in each round.
  { name: 'large', files: 20_000, rounds: { count: 5, warmUp: 1 } },
]

export async function measureExec(place: Place): Promise<readonly Row[]> {
  await using home = place.makeHome('exec')
  await home.startWorker(1)
  const rows: Row[] = []
  for (const { name, files, rounds: times } of CASES) {
    const repository = await place.repository(name, files)
    let trees = 0
    const rounds = await interleave(
      {
        git: () => {
          const path = join(place.scratch, `worktree-of-${name}-${trees++}`)
          const args = ['worktree', 'add', '--quiet', '--detach', path, 'HEAD']
          return timeProgram(place.program(repository, 'git', ...args))
        },
        exec: () => timeToExec(home, repository),
      },
      { ...times, signal: place.signal },
    )
    const difference = spreadOf(rounds.map(({ exec, git }) => (exec - git) / 1000))
    rows.push({
      figure: `\`run\` to the agent's exec, ${files.toLocaleString('en')} files`,
      measured: shownMs(spreadOf(rounds.map(({ exec }) => exec)).median),
      baseline: `git worktree add ${shownMs(spreadOf(rounds.map(({ git }) => git)).median)}`,
      spread: `+ ${shownSpread(difference)} s`,
      bar: `≤ git worktree add + ${BAR_S} s`,
      verdict: verdictOf(difference.median, BAR_S),
    })
  }
  return rows
}

async function timeToExec(home: Home, repository: string): Promise<number> {
  const start = Date.now()
  const { stdout } = runProgram(home.program(repository, ...RUN_COMMAND, '/bin/date', '+%s%N'))
  const id = stdout.trim()
  // To the end of the task: what comes after the agent does not compete with the next round.
  await home.ok('/', 'wait', id)
  const nanoseconds = readFileSync(join(home.runDirectory(id), 'stdout'), 'utf8').trim()
  return Number(BigInt(nanoseconds) / 1000n) / 1000 - start
}
