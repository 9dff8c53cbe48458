/**
 * The real OpenClaw takes the skill in, is woken when a task has ended, and works with the skill. It
 * is large, and is not installed for this: `node scripts/agents.mjs openclaw` does that.
 */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { delimiter, dirname, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { findInstalledAgent } from '../../src/demo/ensure-agent.ts'
import { writeOpenclawHome } from '../../src/demo/scripted-model/openclaw-home.ts'
import { type Choose, say, shell } from '../../src/demo/scripted-model/script.ts'
import { putProgram } from '../end-to-end/hosts.ts'
import { entry, type House } from '../end-to-end/house.ts'
import { eventually } from '../eventually.ts'
import { killIfThere } from '../kill-if-there.ts'
import { heard, houseWithModel } from './house-with-model.ts'

const openclaw = findInstalledAgent('openclaw')
const why = openclaw === undefined ? ' (skipped: node scripts/agents.mjs openclaw, 650 MB)' : ''

/** On a busy machine it takes a minute to say a word, and its gateway takes two. */
const PATIENCE_MS = 600_000
const SESSION = 'agent:main:work'

async function houseWithOpenclaw(choose: Choose = () => say('NO_REPLY')) {
  const { house, model } = await houseWithModel([], { choose })
  const { environment, scratch } = house
  const state = join(scratch, 'claw')
  Object.assign(environment, await writeOpenclawHome(state, model.url, await freePort()))
  putProgram(scratch, 'holdfast', `exec '${process.execPath}' '${entry}' "$@"`)
  const own = [join(scratch, 'bin'), dirname(openclaw?.bin ?? ''), dirname(process.execPath)]
  environment.PATH = [...own, environment.PATH].join(delimiter)
  return { house, model, state }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  await new Promise(resolve => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** What it says on stdout, as JSON. */
function ask({ environment }: House, ...words: string[]): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const options = { cwd: '/', env: environment, encoding: 'utf8' } as const
    const child = execFile(openclaw?.bin ?? '', words, options, (error, stdout) =>
      error === null ? resolve(JSON.parse(stdout)) : reject(error),
    )
    child.stdin?.end()
  })
}

/** What its tools have given back, of a request. */
function resultsIn(request: string): readonly string[] {
  const { messages }: { messages: { role: string; content: unknown }[] } = JSON.parse(request)
  return messages
    .filter(({ role }) => role === 'tool')
    .map(({ content }) => JSON.stringify(content))
}

/** Its gateway, until the work is done: begun again where it gives up, as it does on a busy machine. */
async function withGateway(house: House, work: () => Promise<void>): Promise<void> {
  const log = openSync(join(house.scratch, 'gateway.out'), 'a')
  const options = { cwd: '/', env: house.environment, detached: true } as const
  let isWanted = true
  let pid: number | undefined
  const run = async () => {
    while (isWanted) {
      const stdio = ['ignore', log, log] as const
      const gateway = spawn(openclaw?.bin ?? '', ['gateway', 'run'], {
        ...options,
        stdio: [...stdio],
      })
      pid = gateway.pid
      await once(gateway, 'close')
      if (isWanted) await setTimeout(1_000)
    }
  }
  const over = run()
  // Told below, not as nobody's.
  over.catch(() => undefined)
  try {
    await work()
  } finally {
    isWanted = false
    if (pid !== undefined) killIfThere(-pid)
    await over
    // It has started others, in groups of their own.
    const left = house.processes().filter(line => /\bopenclaw[- ]/.test(line))
    for (const line of left) killIfThere(Number.parseInt(line, 10))
  }
}

test.skipIf(openclaw === undefined)(
  `setup puts the skill where OpenClaw finds it ready, uninstall takes that out and nothing else${why}`,
  async () => {
    const { house, state } = await houseWithOpenclaw()
    const before = readFileSync(join(state, 'openclaw.json'), 'utf8')
    await house.ok(['setup', '--host', 'openclaw', '--json'])
    expect(await ask(house, 'skills', 'info', 'holdfast', '--json')).toMatchObject({
      name: 'holdfast',
      source: 'openclaw-managed',
      eligible: true,
      modelVisible: true,
    })
    await house.ok(['uninstall', '--json'])
    expect(JSON.stringify(await ask(house, 'skills', 'list', '--json'))).not.toContain('"holdfast"')
    expect(readFileSync(join(state, 'openclaw.json'), 'utf8')).toBe(before)
  },
  PATIENCE_MS,
)

test.skipIf(openclaw === undefined)(
  `a gateway that is down is told later, the session that was named is woken, and its model works with the skill${why}`,
  async () => {
    let repo = ''
    const { house, model } = await houseWithOpenclaw(({ body, conversation: { resultsAfter } }) => {
      const text = JSON.stringify(body)
      if (!text.includes('first succeeded')) return say('NO_REPLY')
      const delegate = `cd '${repo}' && holdfast run command --permissions full --name second -- echo claws`
      const steps = [
        shell(`${delegate} && holdfast wait second --timeout 5m && holdfast result second`),
        say('All told.'),
      ]
      return steps[
        Math.min(
          resultsAfter.reduce((sum, n) => sum + n, 0),
          steps.length - 1,
        )
      ]
    })
    repo = house.repo
    await house.ok(['setup', '--host', 'openclaw', '--json'])
    const words = ['command', '--name', 'first', '--notify', `openclaw:${SESSION}`]
    // The worker is another's: which OpenClaw is meant was said by whoever asked.
    const { OPENCLAW_STATE_DIR: _, ...elsewhere } = house.environment
    await house.ok(['worker', 'start'], {
      environment: { ...elsewhere, OPENCLAW_STATE_DIR: undefined },
    })
    await house.submit([...words, '--', 'echo', 'done'])
    const log = join(house.home, 'worker.log')
    await eventually(
      'the gateway was not reached',
      () =>
        readFileSync(log, 'utf8').includes('was not told: openclaw failed (exit 1): Gateway not'),
      PATIENCE_MS,
    )
    await withGateway(house, async () => {
      await eventually(
        'the model has the answer of a task that it has handed in',
        () => heard(model).some(text => resultsIn(text).some(result => result.includes('claws'))),
        PATIENCE_MS,
      )
      await eventually(
        'what has told it has ended',
        () => !house.processes().some(line => /openclaw.system/.test(line)),
        PATIENCE_MS,
      )
    })
    const [first = ''] = heard(model).filter(text => text.includes('first succeeded'))
    expect(first).toContain(`session=${SESSION}`)
    expect(first).toContain('<name>holdfast</name>')
  },
  3 * PATIENCE_MS,
)
