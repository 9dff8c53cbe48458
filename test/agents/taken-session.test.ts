/** `run --session`, with the real Codex: a session begun by hand, taken over, and gone on with by hand. */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { say, shell } from '../../src/demo/scripted-model/script.ts'
import { eventually } from '../eventually.ts'
import { codex, heard, houseWithModel } from './house-with-model.ts'

test('a session begun by hand is taken over, finished in a worktree, and continued by hand', async () => {
  const { house, model } = await houseWithModel([
    shell('touch under-way; while [ ! -e go ]; do sleep 0.05; done'),
    say('Begun by hand.'),
  ])
  // Nobody's checkout, and gone by the time the task runs.
  const place = join(house.scratch, 'begun here')
  mkdirSync(place)
  house.gitIn(place, 'init', '--quiet')
  const byHand = (...words: string[]) =>
    new Promise<string>((resolve, reject) => {
      const options = { cwd: place, env: house.environment } as const
      const flags = ['--json', '--dangerously-bypass-approvals-and-sandbox', ...words]
      const child = execFile(codex.bin, ['exec', ...flags], options, (error, stdout) =>
        error === null ? resolve(stdout) : reject(error),
      )
      child.stdin?.end()
    })
  const begun = byHand('REMEMBER-THIS')
  await eventually('it is at work', () => existsSync(join(place, 'under-way')))
  const session = await eventually('its record is there', async () => {
    const { stderr } = await house.run(['run', '-a', 'codex', '--session', 'nobodys', 'x'])
    expect(stderr).toContain('codex has no session nobodys')
    return findSession(house.environment.CODEX_HOME ?? '')
  })

  // Somebody writes it: it is refused before anything is written.
  const take = ['run', '-a', 'codex', '--session', session]
  expect(await house.run([...take, 'go on'])).toMatchObject({
    code: 5,
    stderr: expect.stringMatching(/is open in process \d+/),
  })
  for (const [words, code] of [
    [['--session', 'nobodys', 'x'], 4],
    [['--session', '../etc', 'x'], 2],
  ] as const) {
    expect((await house.run(['run', '-a', 'codex', ...words])).code).toBe(code)
  }
  expect(existsSync(join(house.home, 'tasks'))).toBe(false)
  writeFileSync(join(place, 'go'), '')
  await begun

  const gate = join(house.scratch, 'gate')
  model.setTurns([
    shell(`echo taken over > taken.txt; until [ -e '${gate}' ]; do sleep 0.05; done`),
    say('Finished.'),
  ])
  const id = await house.submit([...take.slice(1), 'go on'])
  await eventually('it works', () => existsSync(join(house.worktree(id), 'taken.txt')))
  expect(await house.run([...take, 'me too'])).toMatchObject({
    code: 5,
    stderr: expect.stringContaining(`in use by task ${id}`),
  })
  writeFileSync(gate, '')
  expect(await house.wait(id)).toMatchObject({
    state: 'succeeded',
    session,
    result: { answer: 'Finished.', files: 1 },
    // Codex counts over the whole session: what was used by hand is nobody's.
    usage: { inputTokens: 200, outputTokens: 40 },
  })
  const requests = heard(model)
  expect(
    requests.filter(body => body.includes('go on')).every(b => b.includes('REMEMBER-THIS')),
  ).toBe(true)

  model.setTurns([say('By hand again.')])
  expect(await byHand('resume', session, 'and now?')).toContain('By hand again.')
  expect(
    heard(model).filter(body => body.includes('and now?') && body.includes('Finished.')),
  ).toHaveLength(1)
})

function findSession(home: string): string | undefined {
  const names = existsSync(join(home, 'thread-writer-locks'))
    ? readdirSync(join(home, 'thread-writer-locks'))
    : []
  return names.find(name => /^[0-9a-f-]{36}\.lock$/.test(name))?.replace('.lock', '')
}
