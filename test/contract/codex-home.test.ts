/** A Codex home for one worktree alone; what the real Codex makes of it is in `agents/`. */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { codexOwnHome } from '../../src/agents/codex-home.ts'
import { overlay } from '../../src/domain/environment.ts'
import { asSessionId } from '../../src/domain/ids.ts'
import { scratchDirectory } from '../scratch.ts'

const SESSION = asSessionId('0199a213-81c0-7800-8aa1-bbab2a035a53')
const RECORD = `sessions/2026/01/02/rollout-2026-01-02T03-04-05-${SESSION}.jsonl`
const KEYLESS = 'model_provider = "own"\n[model_providers.own]\nname = "own"\n'

function makeHomes() {
  const root = scratchDirectory()
  const [users, home] = [join(root, 'users'), join(root, 'home')]
  const own = join(home, 'codex')
  const environment = { HOME: root, CODEX_HOME: users }
  const inOwn = overlay(environment, codexOwnHome.variables(home))
  const write = (name: string, text: string, directory = users) => {
    mkdirSync(dirname(join(directory, name)), { recursive: true })
    writeFileSync(join(directory, name), text)
  }
  const read = (name: string, directory = own) =>
    existsSync(join(directory, name)) ? readFileSync(join(directory, name), 'utf8') : null
  const prepare = () => codexOwnHome.prepare(home, environment)
  const carry = async (from: Record<string, string>, to: Record<string, string>) => {
    const plan = await codexOwnHome.planMove(SESSION, { from, to })
    if (plan.kind === 'moves') await plan.carry()
    return plan.kind === 'stays' ? plan.why : 'carried'
  }
  return { users, home, own, environment, inOwn, write, read, prepare, carry }
}

test('what the user keeps is seen in it, and what Codex makes of its work is not', async () => {
  const { users, home, own, inOwn, write, read, prepare } = makeHomes()
  const auth = { tokens: { access_token: 'a', account_id: 'acc' } }
  write('auth.json', JSON.stringify(auth))
  write('config.toml', 'model = "one"\n')
  write('work.config.toml', 'model = "two"\n')
  write('AGENTS.md', 'always\n')
  write('prompts/p.md', 'prompt\n')
  write('rules/default.rules', 'rule\n')
  const works = [RECORD, 'history.jsonl', 'state_5.sqlite', 'state_5.sqlite-wal', 'auth.json.lock']
  works.push(
    'installation_id',
    'log/codex.log',
    'tmp/x',
    '.tmp/plugins/x',
    'thread-writer-locks/x',
    'worktrees/a/x',
  )
  for (const name of works) write(name, 'of the user’s sessions\n')
  await prepare()
  expect(inOwn.CODEX_HOME).toBe(own)
  expect(statSync(own).mode & 0o777).toBe(0o700)
  expect(works.filter(name => read(name) !== null)).toEqual([])
  expect(codexOwnHome.holds(home, SESSION)).toBe(false)
  const shared = ['auth.json', 'AGENTS.md', 'prompts/p.md', 'rules/default.rules']
  for (const name of [...shared, 'config.toml', 'work.config.toml']) {
    expect([name, read(name)]).toEqual([name, read(name, users)])
  }

  // A token that is renewed is renewed for both; what Codex notes in its settings is for itself.
  expect(readlinkSync(join(own, 'auth.json'))).toBe(join(users, 'auth.json'))
  writeFileSync(join(own, 'auth.json'), JSON.stringify({ ...auth, renewed: true }))
  expect(read('auth.json', users)).toContain('renewed')
  appendFileSync(join(own, 'config.toml'), '[projects."/w"]\ntrust_level = "trusted"\n')
  expect(read('config.toml', users)).toBe('model = "one"\n')

  // The next launch sees what has changed meanwhile; what was made there stays.
  write('config.toml', 'model = "three"\n')
  write('hooks.json', '{}')
  write('skills/mine/SKILL.md', 'of the user')
  write('skills/.system/SKILL.md', 'of Codex', own)
  write('goals_1.sqlite', 'own', own)
  unlinkSync(join(users, 'AGENTS.md'))
  unlinkSync(join(users, 'work.config.toml'))
  await prepare()
  expect(['config.toml', 'hooks.json', 'goals_1.sqlite'].map(name => read(name))).toEqual([
    'model = "three"\n',
    '{}',
    'own',
  ])
  expect(read('skills/.system/SKILL.md')).toBe('of Codex')
  for (const gone of ['AGENTS.md', 'work.config.toml']) expect(read(gone)).toBeNull()
})

test('a login that is not in a file cannot be had from another home, and that is said', async () => {
  const { users, own, write, prepare, home, environment } = makeHomes()
  const refusal = { code: 'agent_logged_out', hint: expect.stringContaining('codexHome') }
  await expect(prepare()).rejects.toMatchObject(refusal)
  write('auth.json', '{"OPENAI_API_KEY":"sk"}')
  write('config.toml', 'cli_auth_credentials_store = "keyring"\n')
  await expect(prepare()).rejects.toMatchObject(refusal)
  expect(existsSync(own)).toBe(false)
  // Where no login is needed, none has to be there.
  rmSync(users, { recursive: true })
  await codexOwnHome.prepare(home, { ...environment, CODEX_API_KEY: 'sk' })
  write('config.toml', KEYLESS)
  await prepare()
  expect(readFileSync(join(own, 'config.toml'), 'utf8')).toBe(KEYLESS)
})

test('the record of a session is carried where it is longer, and never over another story', async () => {
  const { home, own, users, environment, inOwn, write, read, carry } = makeHomes()
  expect(await carry(inOwn, environment)).toContain(`below ${join(own, 'sessions')}`)
  write(RECORD, 'one\n', own)
  expect(codexOwnHome.holds(home, SESSION)).toBe(true)
  expect(await carry(inOwn, environment)).toBe('carried')
  expect(read(RECORD, users)).toBe('one\n')
  // The user goes on; what is asked once more takes nothing from them.
  appendFileSync(join(users, RECORD), 'two\n')
  expect(await carry(inOwn, environment)).toBe('carried')
  expect(read(RECORD, users)).toBe('one\ntwo\n')
  expect(await carry(environment, inOwn)).toBe('carried')
  expect(read(RECORD)).toBe('one\ntwo\n')
  writeFileSync(join(own, RECORD), 'one\nother\nwords\n')
  expect(await carry(environment, inOwn)).toContain('gone on otherwise')
  expect([read(RECORD), read(RECORD, users)]).toEqual(['one\nother\nwords\n', 'one\ntwo\n'])
  rmSync(join(own, 'sessions'), { recursive: true })
  // It is where it is to be.
  expect(await carry(inOwn, environment)).toBe('carried')
})
