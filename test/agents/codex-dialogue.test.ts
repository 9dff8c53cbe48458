/** What is said to a running task, asked by it, and cut short, with the real Codex against the scripted model. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Choose, say, shell } from '../../src/demo/scripted-model/script.ts'
import { armPoint } from '../arm-point.ts'
import { confinedTest } from '../confined.ts'
import type { House } from '../end-to-end/house.ts'
import { Points } from '../end-to-end/points.ts'
import { eventually } from '../eventually.ts'
import { heard, houseWithModel } from './house-with-model.ts'
import { killAllIn } from './standing.ts'
import { tell } from './tell.ts'
import { turnsOf } from './turns.ts'

const exists = (house: House, id: string, name: string) =>
  eventually(`${name} is there`, () => existsSync(join(house.worktree(id), name)))

const countOf = (text: string, words: string) => text.split(words).length - 1

/** What is done depends on the newest of these words that was said: its command, then its answer. */
const byNewest =
  (steps: Readonly<Record<string, Step>>): Choose =>
  ({ body, conversation }) => {
    const words = Object.keys(steps).toReversed()
    const word = words.find(one => conversation.userTexts.some(text => text.includes(one))) ?? ''
    const { command, answer } = steps[word] ?? { command: '', answer: '' }
    // What takes longer than Codex waits for is asked for again, until it is over.
    const isOver = JSON.stringify(body).includes(`over: ${word}`)
    return isOver ? say(answer) : shell(`${command}\nprintf 'over: %s\\n' ${word}`)
  }

interface Step {
  readonly command: string
  readonly answer: string
}

/** A command that goes on until its gate is opened. */
const gated = (name: string) => `touch at-${name}; until [ -e go-${name} ]; do sleep 0.05; done`

test('what is said in mid-turn changes what comes next, over kills of the worker, neither lost nor doubled', async () => {
  const steps = {
    'BEGIN-HERE': { command: gated('first'), answer: 'Too soon.' },
    'MESSAGE-ONE': { command: gated('second'), answer: 'Too soon.' },
    'MESSAGE-TWO': { command: gated('third'), answer: 'The first answer.' },
    'MESSAGE-THREE': { command: 'echo three > three.txt', answer: 'The last answer.' },
  }
  const { house, model } = await houseWithModel([], { choose: byNewest(steps) })
  const points = join(house.scratch, 'points')
  mkdirSync(points)
  house.environment.HOLDFAST_CRASH_POINTS = points
  const id = await house.submit(['codex', 'BEGIN-HERE'])
  await exists(house, id, 'at-first')

  // Between the store and the saying.
  await house.killWorkers()
  await tell(house, id, 'MESSAGE-ONE\n“quoted”', false)
  await house.ok(['worker', 'start'])
  await eventually('it was said', () =>
    readFileSync(join(house.runDirectory(id), 'stdin'), 'utf8').includes('MESSAGE-ONE'),
  )
  house.write('go-first', '', house.worktree(id))
  await exists(house, id, 'at-second')

  // Between the saying and the acknowledgement.
  armPoint(points, 'converse.said', 'kill')
  await tell(house, id, 'MESSAGE-TWO')
  await eventually('the worker died', () => existsSync(join(points, 'converse.said.pid')))
  await house.workerPid()
  house.write('go-second', '', house.worktree(id))
  await exists(house, id, 'at-third')

  // As the turn ends: no worker sees it before it is over.
  const worker = await house.suspendWorker()
  house.write('go-third', '', house.worktree(id))
  const stdout = join(house.runDirectory(id), 'stdout')
  await eventually('the turn is over', () =>
    readFileSync(stdout, 'utf8').includes('turn/completed'),
  )
  await tell(house, id, 'MESSAGE-THREE', false)
  process.kill(worker, 'SIGCONT')

  expect(await house.wait(id)).toMatchObject({
    state: 'succeeded',
    attempt: 1,
    result: { answer: 'The last answer.' },
  })
  expect(await house.ok(['diff', id])).toContain('+three')
  const last = turnsOf(model).at(-1)?.conversation?.userTexts.join('\n') ?? ''
  for (const words of Object.keys(steps)) {
    expect([words, countOf(last, words)]).toEqual([words, 1])
  }
  const said = readFileSync(stdout, 'utf8')
  expect(said).not.toContain('"interrupted"')
  expect(countOf(said, '"method":"turn/started"')).toBe(2)
  const log = await house.ok(['logs', id, '-n', '1000', '--json'])
  expect(countOf(log, '"message_heard"')).toBe(3)
})

test('cancel stops the turn before it stops the process; its session goes on where it was', async () => {
  const { house, model } = await houseWithModel([
    shell('touch at-work; exec sleep 300', 'I begin.'),
    say('All done.'),
  ])
  const points = new Points(house)
  const id = await house.submit(['codex', 'REMEMBER-THIS please'])
  await exists(house, id, 'at-work')
  // The worker waits for the end of the turn no longer than two seconds: it stands still meanwhile.
  points.stand('converse.said')
  const cancelled = house.run(['cancel', id])
  await eventually('its turn is cut short', () =>
    /"method":"turn\/completed".*"status":"interrupted"/.test(
      readFileSync(join(house.runDirectory(id), 'stdout'), 'utf8'),
    ),
  )
  points.go('converse.said')
  await cancelled
  expect(await house.wait(id)).toMatchObject({ state: 'cancelled' })
  const again = (await house.ok(['resume', id])).trim()
  expect(await house.wait(again)).toMatchObject({ state: 'succeeded', attempt: 1 })
  for (const words of ['REMEMBER-THIS', 'I begin.', 'it was cancelled']) {
    expect([words, heard(model).at(-1)?.includes(words)]).toEqual([words, true])
  }
})

confinedTest(
  'with --ask it asks before it runs and edits, is answered from elsewhere, and stays within its permissions',
  async () => {
    const patch =
      "apply_patch <<'EOP'\n*** Begin Patch\n*** Add File: new.txt\n+hello\n*** End Patch\nEOP"
    const { house, model } = await houseWithModel([
      shell(
        'cat "$CODEX_HOME/auth.json"; echo x > allowed.txt; echo x > ../outside.txt; echo x > "$HOME/outside.txt"; echo x >> "$CODEX_HOME/auth.json"; echo x >> "$CODEX_HOME/config.toml"',
      ),
      shell('echo x > refused.txt'),
      shell('echo x > refused.txt'),
      shell(patch),
      say('All done.'),
    ])
    // A login, though this model wants none: it can be read there, and not be changed.
    const home = house.environment.CODEX_HOME ?? ''
    const login = join(home, 'auth.json')
    writeFileSync(login, '{"OPENAI_API_KEY":"sk-kept"}')
    // Codex was here before.
    const installation = '0f6f3e2a-9d8c-4a7b-8c1d-5e4f3a2b1c0d'
    writeFileSync(join(home, 'installation_id'), installation)
    const id = await house.submit(['codex', 'ask me', '--ask'])
    const answer = async (words: string, about: RegExp) => {
      const { question } = await house.untilState(id, 'needs_input')
      expect(question?.text).toMatch(about)
      expect(await house.run(['answer', id, 'perhaps'])).toMatchObject({ code: 2 })
      await house.ok(['answer', id, words], { directory: '/' })
      await eventually(
        'it goes on',
        async () => (await house.task(id)).question?.id !== question?.id,
      )
    }
    await answer('Allow', /allowed\.txt/)
    // Asked again by the next, in the same session.
    await house.untilState(id, 'needs_input')
    process.kill(house.pid(id), 'SIGKILL')
    killAllIn(house.worktree(id))
    await eventually('it is resumed', async () => (await house.task(id)).attempt === 2)
    await answer('Refuse', /refused\.txt/)
    await answer('accept', /change .*new\.txt/)
    expect(await house.wait(id)).toMatchObject({
      state: 'succeeded',
      attempt: 2,
      permissions: { asked: 'workspace', effective: 'workspace', enforcedBy: 'system' },
    })
    const { refused } = await house.evidence(id)
    expect(refused).toEqual([{ action: expect.stringContaining('refused.txt'), why: 'Refuse' }])
    expect((await house.ok(['diff', id])).match(/^\+\+\+ .*$/gm)).toEqual([
      '+++ b/allowed.txt',
      '+++ b/new.txt',
    ])
    for (const place of [join(house.home, 'worktrees'), house.scratch]) {
      expect([place, existsSync(join(place, 'outside.txt'))]).toEqual([place, false])
    }
    expect(heard(model)).toHaveLength(5)
    expect(heard(model)[2]).toContain('allowed.txt')
    expect(heard(model)[1]).toContain('sk-kept')
    expect(readFileSync(login, 'utf8')).toBe('{"OPENAI_API_KEY":"sk-kept"}')
    expect(readFileSync(join(home, 'installation_id'), 'utf8')).toBe(installation)
    expect(readdirSync(home).sort()).toEqual([
      'auth.json',
      'config.toml',
      'installation_id',
      'sessions',
      'thread-writer-locks',
    ])
  },
)
