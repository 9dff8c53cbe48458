/** Against a stand-in for npm: what it installs is a program that knows its version. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { ensureAgent } from '../../src/demo/ensure-agent.ts'

let root: string
let cache: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'holdfast-ensure-'))
  cache = join(root, 'cache')
  mkdirSync(join(root, 'bin'))
  vi.stubEnv('PATH', `${join(root, 'bin')}:/usr/bin:/bin`)
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(root, { recursive: true, force: true })
})

/** `npm install … --prefix DIR …`, with one more step at its end. */
function placeNpm(step = ''): void {
  const npm = join(root, 'bin', 'npm')
  writeFileSync(
    npm,
    `#!/bin/sh -e
echo "$*" >> "${root}/calls"
while [ "$1" != --prefix ]; do shift; done
modules=$2/node_modules
mkdir -p "$modules/.bin" "$modules/@openai/codex"
echo '{"version":"0.169.0"}' > "$modules/@openai/codex/package.json"
printf '#!/bin/sh\\n' > "$modules/.bin/codex"
chmod +x "$modules/.bin/codex"
${step}
echo '{}' > "$modules/.package-lock.json"
`,
  )
  chmodSync(npm, 0o755)
}

const ensure = () => ensureAgent('codex', { quiet: true, cache })
const calls = () => readFileSync(join(root, 'calls'), 'utf8').trimEnd().split('\n')

it('installs the pinned version, once', async () => {
  placeNpm()
  const agent = await ensure()
  expect(agent).toEqual({
    bin: join(cache, 'codex-0.169.0/node_modules/.bin/codex'),
    directory: join(cache, 'codex-0.169.0'),
    version: '0.169.0',
  })
  expect(await ensure()).toEqual(agent)
  expect(calls()).toHaveLength(1)
  expect(calls()[0]).toContain('@openai/codex@0.169.0')
})

it('gives one whole installation to two that ask at once', async () => {
  placeNpm()
  const [first, second] = await Promise.all([ensure(), ensure()])
  expect(first).toEqual(second)
  expect(readdirSync(cache)).toEqual(['codex-0.169.0'])
})

it('leaves nothing of an installation that fails, and says why', async () => {
  placeNpm('echo no such package >&2; exit 1')
  await expect(ensure()).rejects.toThrow(/npm install failed \(1\): no such package/)
  expect(readdirSync(cache)).toEqual([])
})

it('does not accept a program that cannot be started', async () => {
  placeNpm('printf "#!/bin/sh\\nexit 1\\n" > "$modules/.bin/codex"')
  await expect(ensure()).rejects.toThrow(/--version failed/)
  expect(readdirSync(cache)).toEqual([])
})

it('says that npm is missing where it is', async () => {
  vi.stubEnv('PATH', join(root, 'bin'))
  await expect(ensure()).rejects.toThrow('cannot start npm')
})

it.each(['.package-lock.json', '@openai/codex/package.json', '.bin/codex'])(
  'does not take half an installation for a whole one: without %s',
  async missing => {
    placeNpm()
    const { directory } = await ensure()
    const file = join(directory, 'node_modules', missing)
    rmSync(file)
    await ensure()
    expect(existsSync(file)).toBe(true)
    expect(readdirSync(cache)).toEqual(['codex-0.169.0'])
  },
)

it('sweeps away what an interrupted installation left, but not one under way', async () => {
  placeNpm()
  for (const name of ['.installing-old', '.installing-new']) {
    mkdirSync(join(cache, name), { recursive: true })
  }
  const yesterday = Date.now() / 1000 - 25 * 3600
  utimesSync(join(cache, '.installing-old'), yesterday, yesterday)
  await ensure()
  expect(readdirSync(cache).sort()).toEqual(['.installing-new', 'codex-0.169.0'])
})
