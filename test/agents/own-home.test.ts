/** A home for each worktree, with the real Codex against the scripted model. */
import { execFile } from 'node:child_process'
import { existsSync, lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { codexOwnHome } from '../../src/agents/codex-home.ts'
import { ensureAgent } from '../../src/demo/ensure-agent.ts'
import { say, shell } from '../../src/demo/scripted-model/script.ts'
import { eventually } from '../eventually.ts'
import { codex, heard, houseWithModel } from './house-with-model.ts'
import { killAllIn } from './standing.ts'

/** Not the blocking way: the model answers from this process. */
async function runCodex(words: readonly string[], stdin: string, options: object) {
  const running = promisify(execFile)(codex.bin, words, { ...options, encoding: 'utf8' })
  running.child.stdin?.end(stdin)
  return (await running).stdout
}

test('sessions are the worktree’s own, over a kill, a resume and a hand-off; all else is the user’s', async () => {
  const environment = { HOLDFAST_CODEX_HOME: 'worktree' }
  const turns = [
    shell('echo first >> kept.txt; touch under-way; exec sleep 300', 'I begin.'),
    shell('touch again; exec sleep 300', 'I go on.'),
    shell('unlink under-way; unlink again; echo "$CODEX_HOME" > home.txt'),
    say('All done.'),
    say('Here I am.'),
  ]
  const { house, model } = await houseWithModel(turns, { environment })
  const users = house.environment.CODEX_HOME ?? ''
  writeFileSync(join(users, 'AGENTS.md'), 'USERS-RULE\n')
  house.write('AGENTS.md', 'REPOSITORYS-RULE\n')
  const settings = readFileSync(join(users, 'config.toml'), 'utf8')
  const first = await house.submit(['codex', 'REMEMBER-THIS please', '--name', 'work'])
  const own = join(house.home, 'agent-homes', first, 'codex')
  const isThere = (name: string) =>
    eventually(`${name} is there`, () => existsSync(join(house.worktree(first), name)))
  await isThere('under-way')
  const { session } = await eventually('the session is known', async () => {
    const task = await house.task(first)
    return task.session !== null && task
  })
  expect(killAllIn(house.worktree(first))).toBeGreaterThanOrEqual(2)
  await isThere('again')
  await house.ok(['cancel', first])
  const second = (await house.ok(['resume', 'work'])).trim()
  expect(await house.wait(second)).toMatchObject({ state: 'succeeded', session, attempt: 1 })
  const asked = heard(model)[2] ?? ''
  const history = ['USERS-RULE', 'REPOSITORYS-RULE', 'REMEMBER-THIS', 'I begin.', 'I go on.']
  for (const word of history) expect([word, asked.includes(word)]).toEqual([word, true])
  expect(readFileSync(join(house.worktree(first), 'home.txt'), 'utf8')).toBe(`${own}\n`)
  expect(readdirSync(users).sort()).toEqual(['AGENTS.md', 'config.toml'])
  expect(readFileSync(join(users, 'config.toml'), 'utf8')).toBe(settings)

  // Whoever takes it over goes on with it in their own home.
  await house.ok(['handoff', second, '--to', 'local'])
  const exec = ['exec', 'resume', '--json', session ?? '', 'are you there?']
  const options = { cwd: house.repo, env: house.environment }
  expect(await runCodex(exec, '', options)).toContain('Here I am.')
  expect(heard(model)[4]).toContain('REMEMBER-THIS')
  const back = JSON.parse(await house.ok(['handoff', second, '--to', 'worktree', '--json']))
  expect(back.session.argv).toContain(`CODEX_HOME=${own}`)
  const record = readdirSync(join(own, 'sessions'), { recursive: true, encoding: 'utf8' })
  const [name = ''] = record.filter(one => one.endsWith(`${session}.jsonl`))
  expect(readFileSync(join(own, 'sessions', name), 'utf8')).toContain('are you there?')

  // A login is written through the link, and one that is taken back is taken back here alone.
  writeFileSync(join(users, 'auth.json'), '{"OPENAI_API_KEY":"sk-old"}')
  await codexOwnHome.prepare(join(own, '..'), { CODEX_HOME: users })
  const inOwn = { ...options, env: { ...house.environment, CODEX_HOME: own } }
  await runCodex(['login', '--with-api-key'], 'sk-new', inOwn)
  expect(lstatSync(join(own, 'auth.json')).isSymbolicLink()).toBe(true)
  expect(readFileSync(join(users, 'auth.json'), 'utf8')).toContain('sk-new')
  await runCodex(['logout'], '', inOwn)
  expect(existsSync(join(users, 'auth.json'))).toBe(true)
})

test('codex-acp has the same home, and finds its session there again', async () => {
  const turns = [
    shell('touch under-way; exec sleep 300', 'I begin.'),
    shell('unlink under-way; echo "$CODEX_HOME" > home.txt'),
    say('All done.'),
  ]
  const { bin } = await ensureAgent('codex-acp')
  const environment = { HOLDFAST_CODEX_HOME: 'worktree', CODEX_PATH: codex.bin }
  const { house, model } = await houseWithModel(turns, { environment })
  house.environment.PATH = `${dirname(bin)}:${house.environment.PATH}`
  const users = house.environment.CODEX_HOME ?? ''
  const id = await house.submit(['codex-acp', 'REMEMBER-THIS please'])
  await eventually('it works', () => existsSync(join(house.worktree(id), 'under-way')))
  await eventually('the session is known', async () => (await house.task(id)).session)
  killAllIn(house.worktree(id))
  expect(await house.wait(id)).toMatchObject({ state: 'succeeded', attempt: 2 })
  // It asks for a title as well, of nothing but what it was told last.
  const resumed = heard(model).filter(text => text.includes('You were interrupted'))
  expect(resumed.some(text => text.includes('REMEMBER-THIS') && text.includes('I begin.'))).toBe(
    true,
  )
  const own = join(house.home, 'agent-homes', id, 'codex')
  expect(readFileSync(join(house.worktree(id), 'home.txt'), 'utf8')).toBe(`${own}\n`)
  expect(readdirSync(users)).toEqual(['config.toml'])
})
