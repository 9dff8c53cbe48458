/**
 * Handing a task in. The worker is up, and its only slot taken: nothing else competes. What `run`
 * costs beyond three starts of Node must stay below a few times of what git needs to look at the
 * repository.
 */
import { accessSync, constants, readdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { writeCodexHome } from '../src/demo/scripted-model/codex-home.ts'
import { interleave, spreadOf, timeProgram } from './measure.ts'
import { type Place, RUN_COMMAND } from './place.ts'
import { type Row, rowWithout, shownMs, shownSpread, verdictOf } from './table.ts'

const ROUNDS = { count: 21, warmUp: 3 }
/** So many starts of Node may a `run` take where git has next to nothing to do. */
const NODES = 3
/** So many times of `git status` may it take on top, where git has. */
const STATUSES = 2.5

const SMALL = 1_000
const LARGE = 20_000

/** Nothing listens there; and nothing is asked, because the task stays queued. */
const DEAD_PROVIDER = 'http://127.0.0.1:9/v1'

export async function measureRun(place: Place): Promise<readonly Row[]> {
  const codex = findCodex()
  const { CODEX_HOME } = await writeCodexHome(join(place.scratch, 'codex'), DEAD_PROVIDER)
  await using home = place.makeHome('run', {
    CODEX_HOME,
    ...(codex && { PATH: `${dirname(codex)}:${place.environment.PATH}` }),
  })
  await home.startBusyWorker(await place.repository('small', SMALL))

  const rows: Row[] = []
  for (const files of [SMALL, LARGE]) {
    const size = `${files.toLocaleString('en')} files`
    const clean = await place.repository(files === SMALL ? 'small' : 'large', files)
    const dirty = await place.repository(`${clean.split('/').at(-1)}-dirty`, files)
    await place.makeDirty(dirty)
    const command = [...RUN_COMMAND, 'true']
    const cases = [
      { figure: `\`run\`, ${size}, clean`, repository: clean, words: command },
      { figure: `\`run\`, ${size}, 20 dirty`, repository: dirty, words: command },
      { figure: `\`run codex\`, ${size}, clean`, repository: clean, words: ['run', 'codex', 'x'] },
    ]
    for (const { figure, repository, words } of cases) {
      if (words[1] === 'codex' && codex === undefined) {
        rows.push(rowWithout(figure, 'skipped', 'codex is not installed'))
        continue
      }
      const rounds = await interleave(
        {
          node: () => timeProgram(place.node(repository)),
          status: () => timeProgram(place.program(repository, 'git', 'status')),
          run: () => timeProgram(home.program(repository, ...words)),
        },
        { ...ROUNDS, signal: place.signal },
      )
      rows.push(files === SMALL ? againstNode(figure, rounds) : againstStatus(figure, rounds))
    }
  }
  return rows
}

type Rounds = readonly { readonly node: number; readonly status: number; readonly run: number }[]

function againstNode(figure: string, rounds: Rounds): Row {
  const ratio = spreadOf(rounds.map(({ run, node }) => run / node))
  return {
    figure,
    measured: shownMs(spreadOf(rounds.map(({ run }) => run)).median),
    baseline: `node ${shownMs(spreadOf(rounds.map(({ node }) => node)).median)}`,
    spread: shownSpread(ratio),
    bar: `≤ ${NODES} × node`,
    verdict: verdictOf(ratio.median, NODES),
  }
}

function againstStatus(figure: string, rounds: Rounds): Row {
  const ratio = spreadOf(rounds.map(({ run, node, status }) => (run - NODES * node) / status))
  const node = spreadOf(rounds.map(round => round.node)).median
  const status = spreadOf(rounds.map(round => round.status)).median
  return {
    figure,
    measured: shownMs(spreadOf(rounds.map(({ run }) => run)).median),
    baseline: `node ${shownMs(node)}, git status ${shownMs(status)}`,
    spread: shownSpread(ratio),
    bar: `(run − ${NODES} × node) ≤ ${STATUSES} × git status`,
    verdict: verdictOf(ratio.median, STATUSES),
  }
}

/** On the PATH, or where the demo keeps the agents that it installs. */
function findCodex(): string | undefined {
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'holdfast', 'agents')
  const installed = listNames(cache)
    .filter(name => /^codex-[\d.]+$/.test(name))
    .map(name => join(cache, name, 'node_modules', '.bin'))
  const path = (process.env.PATH ?? '').split(delimiter).filter(name => name.startsWith('/'))
  return [...path, ...installed].map(name => join(name, 'codex')).find(isExecutable)
}

function listNames(directory: string): readonly string[] {
  try {
    return readdirSync(directory)
  } catch {
    // Nothing was ever installed there.
    return []
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
