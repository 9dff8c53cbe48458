/** Reading what was set beforehand, and saying what is wrong with it. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadConfiguration } from '../../src/configuration/load.ts'
import { makeSchemas, settings } from '../../src/configuration/schema.ts'
import { changeUserFile } from '../../src/configuration/user-file.ts'
import { scratchDirectory } from '../scratch.ts'

const agents = async () => ['codex', 'claude']

function places() {
  const scratch = scratchDirectory()
  const root = join(scratch, 'repo')
  const home = join(scratch, 'home')
  for (const path of [root, home]) mkdirSync(path)
  return {
    root,
    home,
    inRepository: (text: string) => writeFileSync(join(root, 'holdfast.json'), text),
    inHome: (text: string) => writeFileSync(join(home, 'config.json'), text),
    load: (environment: Record<string, string> = {}) =>
      loadConfiguration({ root, home, environment, agents }),
  }
}

test('nothing is set where there is nothing', async () => {
  const { load } = places()
  const nothing = { environment: {}, repository: {}, user: {} }
  expect(await load()).toEqual(nothing)
  expect(await load({ HOLDFAST_AGENT: '' })).toEqual(nothing)
})

test('each place is read', async () => {
  const { load, inRepository, inHome } = places()
  inRepository('\uFEFF{ "$schema": "x", "agent": "codex", "capture": { "maxBytes": 7 } }')
  inHome('{ "permissions": "full", "slots": 3 }')
  expect(
    await load({ HOLDFAST_EFFORT: 'low', HOLDFAST_SLOTS: '2', HOLDFAST_IDLE_DAYS: '9' }),
  ).toEqual({
    environment: { effort: 'low', slots: 2, idleDays: 9 },
    repository: { $schema: 'x', agent: 'codex', capture: { maxBytes: 7 } },
    user: { permissions: 'full', slots: 3 },
  })
})

test.each([
  ['{', /holdfast\.json is no JSON/, /agent/],
  ['[]', /holdfast\.json holds no settings: \[\]/, /agent/],
  ['{"agnet": "codex"}', /holdfast\.json: there is no setting "agnet"/, /agent, model/],
  ['{"agent": "command"}', /holdfast\.json: agent is "command"/, /allowed: codex, claude/],
  ['{"agent": ""}', /agent is ""/, /allowed: codex/],
  ['{"model": 5}', /model is 5/, /allowed: a name/],
  ['{"model": null}', /model is null/, /allowed: a name/],
  ['{"permissions": "full"}', /permissions is "full", which is not taken/, /--permissions full/],
  ['{"permissions": "rw"}', /permissions is "rw"/, /read-only, workspace/],
  ['{"capture": 5}', /capture is 5/, /maxBytes, maxFiles/],
  ['{"capture": {"maxBytes": -1}}', /capture\.maxBytes is -1/, /whole number from 0/],
  ['{"capture": {"most": 1}}', /no setting "capture\.most"/, /capture\.maxBytes/],
  ['{"directories": {"x": "cp"}}', /directories\.x is "cp"/, /clone, copy, symlink or skip/],
  ['{"directories": {"../x": "copy"}}', /directories may not name "\.\.\/x"/, /below the checkout/],
  ['{"directories": {"/x": "copy"}}', /directories may not name/, /below the checkout/],
  ['{"directories": {"a/.GIT": "copy"}}', /directories may not name/, /below the checkout/],
  ['{"directories": {"a/": "copy"}}', /directories may not name/, /below the checkout/],
  ['{"slots": 3}', /slots may not be set here/, /config\.json in your state directory/],
])('a repository that says %s is told what is wrong', async (text, message, hint) => {
  const { load, inRepository, root } = places()
  inRepository(text)
  await expect(load()).rejects.toMatchObject({
    code: 'bad_configuration',
    message: expect.stringMatching(message),
    hint: expect.stringMatching(hint),
  })
  await expect(load()).rejects.toThrow(root)
})

test('the user’s file and the variables are checked too', async () => {
  const { load, inHome, home } = places()
  await expect(load({ HOLDFAST_SLOTS: 'many' })).rejects.toThrow('HOLDFAST_SLOTS is "many"')
  await expect(load({ HOLDFAST_PERMISSIONS: 'full' })).rejects.toThrow('is not taken from here')
  inHome('{"slots": 0}')
  await expect(load()).rejects.toThrow(`${join(home, 'config.json')}: slots is 0`)
})

test('one setting of the user’s file is changed, where it lies, and nothing else of it', async () => {
  const { home, load, inHome } = places()
  const file = join(home, 'config.json')
  const change = (settings: object) => changeUserFile(home, ['codex', 'claude'], () => settings)
  change({ stopReview: ['/a'] })
  expect(statSync(file).mode & 0o777).toBe(0o600)
  const elsewhere = join(home, 'elsewhere.json')
  writeFileSync(elsewhere, '{"slots": 3, "stopReview": ["/a"], "$schema": "x"}')
  execFileSync('ln', ['-sf', elsewhere, file])
  changeUserFile(home, ['codex'], ({ stopReview }) => ({
    stopReview: [...(stopReview as readonly string[]), '/b'],
  }))
  expect((await load()).user).toEqual({ slots: 3, stopReview: ['/a', '/b'], $schema: 'x' })
  expect(JSON.parse(readFileSync(elsewhere, 'utf8'))).toHaveProperty('slots', 3)
  change({ stopReview: undefined })
  expect(readFileSync(file, 'utf8')).toBe('{\n  "slots": 3,\n  "$schema": "x"\n}\n')
  // What is not valid stays as it is.
  expect(() => change({ stopReview: ['relative'] })).toThrow('stopReview.0 is "relative"')
  for (const text of ['{', '{"agnet": 1}']) {
    inHome(text)
    expect(() => change({ slots: 2 })).toThrow(file)
    expect(readFileSync(file, 'utf8')).toBe(text)
  }
})

test('what is no plain file does not hold anybody up', async () => {
  const { load, root } = places()
  execFileSync('mkfifo', [join(root, 'holdfast.json')])
  await expect(load()).rejects.toThrow(/no plain file/)
})

test('the schemas and the table of settings name the same', () => {
  const schemas = makeSchemas(['codex'])
  const all = settings(['codex'])
  for (const place of ['repository', 'user', 'environment'] as const) {
    const named = Object.entries(all)
      .filter(([, info]) => (info.places as readonly string[]).includes(place))
      .map(([name]) => name.split('.')[0])
    expect(Object.keys(schemas[place].shape).sort()).toEqual([...new Set(named)].sort())
  }
})
