/** The real Codex in place of the keeper of sessions, and a model that has it do the same. */
import { rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensureAgent } from '../../src/demo/ensure-agent.ts'
import { writeCodexHome } from '../../src/demo/scripted-model/codex-home.ts'
import { say, shell, type Turn } from '../../src/demo/scripted-model/script.ts'
import { startScriptedModel } from '../../src/demo/scripted-model/server.ts'
import type { Stage } from './stage.ts'

/** How long the model thinks where it is struck; an agent that lives on gets its answer then. */
const THINKING_MS = 5_000

/** Nothing that another try would make good. */
const REFUSAL: Turn = {
  kind: 'http_error',
  status: 400,
  body: { error: { type: 'invalid_request_error', message: 'bad shape' } },
}

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`
const tool = fileURLToPath(new URL('programs/tool.sh', import.meta.url))

/** Printed when it is over; not to be found in the command itself. */
const marked = (command: string, mark: string) => shell(`${command}\nprintf 'over: %s\\n' ${mark}`)

const work = marked(
  `printf 'made by the agent\\n' >made.txt
printf 'one\\nTWO by the agent\\nthree\\n' >kept.txt
mkdir -p deep && printf '\\000binary\\377\\n' >deep/blob.bin
[ ! -e gone.txt ] || unlink gone.txt`,
  'work',
)
const useTool = marked(`sh ${quoted(tool)}`, 'tool')
const lookAround = marked(
  `cat 'untracked ü.txt' staged.txt hidden.txt >seen.txt
git diff --cached --name-status >index.txt`,
  'seen',
)

export interface CodexScript {
  readonly looksAround?: boolean
  readonly fails?: boolean
}

/** Gives the stage Codex and its model; what is returned ends the model. */
export async function bringCodex(
  stage: Stage,
  { looksAround = false, fails = false }: CodexScript,
): Promise<AsyncDisposable> {
  const { bin } = await ensureAgent('codex', { quiet: true })
  const model = await startScriptedModel({
    logFile: join(stage.scratch, 'model.jsonl'),
    choose({ body }) {
      // What Codex remembers says how far it is, whatever was killed in between.
      const heard = JSON.stringify(body)
      if (!heard.includes('over: work')) return work
      // Where a story holds the next try at its beginning.
      if (stage.take('agent.begun')) return { kind: 'hang' }
      if (!heard.includes('over: tool')) return thinking(stage, useTool)
      if (looksAround && !heard.includes('over: seen')) return lookAround
      return fails ? REFUSAL : say('All done.')
    },
  })
  const place = stage.ground.makeRoomElsewhere()
  const home = await writeCodexHome(place, model.url, { retries: 0 })
  const rest = stage.environment.PATH?.split(':').slice(1).join(':') ?? ''
  Object.assign(stage.environment, home, {
    PATH: `${dirname(bin)}:${rest}`,
    HOLDFAST_TALK: 'dialogue',
  })
  delete stage.environment.CODEX_API_KEY
  return {
    async [Symbol.asyncDispose]() {
      await model.close()
      rmSync(place, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** The model is where a blow is to fall: it takes its time, once. */
function thinking(stage: Stage, turn: Turn): Turn {
  return stage.take('agent.mid-model') ? { ...turn, delayMs: THINKING_MS } : turn
}
