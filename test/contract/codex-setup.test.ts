/** How Codex is found and set up, against stand-ins for its program; the real one is in `agents/`. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parse } from 'smol-toml'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { codex, tomlString } from '../../src/agents/codex/agent.ts'
import { asSessionId } from '../../src/domain/ids.ts'
import type { PermissionMode } from '../../src/domain/permissions.ts'
import type { LaunchRequest } from '../../src/ports/agent.ts'

const TRIPLE = `${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-${
  process.platform === 'darwin' ? 'apple-darwin' : 'unknown-linux-musl'
}`
const PLATFORM = `${process.platform}-${process.arch}`

let root: string
let environment: Record<string, string>

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'holdfast-codex-'))
  mkdirSync(join(root, 'bin'))
  mkdirSync(join(root, 'home'))
  environment = { PATH: join(root, 'bin'), HOME: root, CODEX_HOME: join(root, 'home') }
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

function write(path: string, text: string, mode = 0o644): string {
  const file = join(root, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
  chmodSync(file, mode)
  return file
}

const find = () => codex.findInstallation(environment, [], root)
const logIn = () => write('home/auth.json', '{"tokens":{"access_token":"x"}}')

/** An npm package with its shim on the PATH, and the native binary where each version had it. */
function installPackage(version: string, native: string): { shim: string; program: string } {
  const modules = 'lib/node_modules/@openai'
  write(`${modules}/codex/package.json`, JSON.stringify({ name: '@openai/codex', version }))
  const shim = write(`${modules}/codex/bin/codex.js`, '#!/bin/sh\nexit 9\n', 0o755)
  symlinkSync(shim, join(root, 'bin/codex'))
  if (native.startsWith('codex-')) write(`${modules}/${native.split('/')[0]}/package.json`, '{}')
  return { shim, program: write(`${modules}/${native}`, '#!/bin/sh\nexit 9\n', 0o755) }
}

describe('finding Codex', () => {
  beforeEach(logIn)

  it('takes the native binary of 0.169.0, beside the package', async () => {
    const { program } = installPackage('0.169.0', `codex-${PLATFORM}/vendor/${TRIPLE}/bin/codex`)
    expect(await find()).toEqual({
      program,
      leadingArguments: [],
      version: '0.169.0',
      environment: {
        CODEX_MANAGED_BY_NPM: '1',
        CODEX_MANAGED_PACKAGE_ROOT: join(root, 'lib/node_modules/@openai/codex'),
      },
    })
  })

  it('takes that of a platform package nested in it', async () => {
    const nested = `codex/node_modules/@openai/codex-${PLATFORM}`
    write(`lib/node_modules/@openai/${nested}/package.json`, '{}')
    const { program } = installPackage('0.169.0', `${nested}/vendor/${TRIPLE}/bin/codex`)
    expect(await find()).toMatchObject({ program })
  })

  it.each([
    ['0.120.0', `codex-${PLATFORM}/vendor/${TRIPLE}`],
    ['0.80.0', `codex/vendor/${TRIPLE}`],
  ])('takes that of %s, with its other programs on the PATH', async (version, vendor) => {
    const { program } = installPackage(version, `${vendor}/codex/codex`)
    const tools = dirname(write(`lib/node_modules/@openai/${vendor}/path/rg`, '', 0o755))
    const found = await find()
    expect(found).toMatchObject({ program, version })
    expect(found.environment.PATH).toBe(`${tools}:${environment.PATH}`)
  })

  it('takes the shim itself where there is no native binary', async () => {
    installPackage('0.169.0', `codex-${PLATFORM}/vendor/${TRIPLE}/elsewhere/codex`)
    expect(await find()).toMatchObject({ program: join(root, 'bin/codex'), version: null })
  })

  it('asks a program of another origin for its version', async () => {
    const program = write('bin/codex', '#!/bin/sh\necho codex-cli 0.170.1\n', 0o755)
    expect(await find()).toEqual({
      program,
      leadingArguments: [],
      version: '0.170.1',
      environment: {},
    })
  })

  it('refuses a version that nobody has tried', async () => {
    write('bin/codex', '#!/bin/sh\necho codex-cli 0.79.9\n', 0o755)
    await expect(find()).rejects.toMatchObject({ code: 'agent_too_old' })
  })

  it('looks neither in the current directory nor at what cannot be run', async () => {
    write('bin/codex', 'no program')
    environment.PATH = `:.:${environment.PATH}`
    await expect(find()).rejects.toMatchObject({ code: 'agent_missing' })
  })
})

describe('looking without refusing', () => {
  const look = () => codex.look(environment)
  const program = (version: string) =>
    write(
      'bin/codex',
      `#!/bin/sh\n[ "$1" = --version ] || echo "$@" >"$HOME/asked"\necho codex-cli ${version}\n`,
      0o755,
    )

  it('says what is there, and that the login is there', async () => {
    logIn()
    const file = program('0.169.0')
    const installation = { program: file, version: '0.169.0' }
    expect(await look()).toMatchObject({ installation, login: 'present', trouble: null })
  })

  it('asks for the version and nothing else, where the login is unknown', async () => {
    program('0.169.0')
    expect(await look()).toMatchObject({ login: 'unknown', trouble: null })
    expect(existsSync(join(root, 'asked'))).toBe(false)
  })

  it('says what is wrong: missing, too old, without its key', async () => {
    expect(await look()).toMatchObject({ installation: null, trouble: { code: 'agent_missing' } })
    program('0.20.0')
    expect(await look()).toMatchObject({
      installation: { version: '0.20.0' },
      trouble: { code: 'agent_too_old' },
    })
    program('0.169.0')
    const own = 'base_url = "http://127.0.0.1:1"\nenv_key = "OWN_KEY"\n'
    write('home/config.toml', `model_provider = "own"\n[model_providers.own]\n${own}`)
    expect(await look()).toMatchObject({
      login: 'missing',
      trouble: { code: 'agent_logged_out', hint: expect.stringContaining('OWN_KEY') },
    })
  })
})

describe('the login', () => {
  /** Says by its exit code whether it is logged in, and leaves a trace of having been asked. */
  const program = (code: number) =>
    write(
      'bin/codex',
      `#!/bin/sh
[ "$1" = --version ] && echo codex-cli 0.169.0 && exit
echo asked > "$HOME/asked"
echo "Not logged in" >&2
exit ${code}
`,
      0o755,
    )
  const config = (text: string) => write('home/config.toml', text)
  const OWN = 'model_provider = "own"\n[model_providers.own]\nbase_url = "http://127.0.0.1:1"\n'

  it.each([
    ['tokens in auth.json', () => void logIn()],
    ['a key in auth.json', () => void write('home/auth.json', '{"OPENAI_API_KEY":"sk"}')],
    [
      'CODEX_API_KEY',
      () => {
        environment.CODEX_API_KEY = 'sk'
      },
    ],
    ['a provider of its own', () => void config(OWN)],
    [
      'a provider of its own and its key',
      () => {
        config(`${OWN}env_key = "OWN_KEY"\n`)
        environment.OWN_KEY = 'x'
      },
    ],
    [
      'a profile with a local provider',
      () => {
        config('profile = "p"\n[profiles.p]\nmodel_provider = "ollama"\n')
      },
    ],
  ])('is there without asking: %s', async (_name, prepare) => {
    program(1)
    prepare()
    await expect(find()).resolves.toBeDefined()
    expect(() => rmSync(join(root, 'asked'))).toThrow()
  })

  it.each([
    ['nothing is there', () => undefined],
    ['auth.json is empty', () => void write('home/auth.json', '{}')],
    ['auth.json is torn', () => void write('home/auth.json', '{"tok')],
    [
      'there is only OPENAI_API_KEY, which codex exec ignores',
      () => {
        environment.OPENAI_API_KEY = 'sk'
      },
    ],
    ['the provider wants an OpenAI login', () => void config(`${OWN}requires_openai_auth = true`)],
  ])('is asked for where %s', async (_name, prepare) => {
    prepare()
    program(0)
    await expect(find()).resolves.toBeDefined()
    program(1)
    await expect(find()).rejects.toMatchObject({
      code: 'agent_logged_out',
      message: 'codex login status: Not logged in',
      hint: 'codex login',
    })
  })

  it('names the key that a provider of its own lacks', async () => {
    program(0)
    config(`${OWN}env_key = "OWN_KEY"\n`)
    await expect(find()).rejects.toMatchObject({
      code: 'agent_logged_out',
      hint: 'export OWN_KEY=…',
    })
  })
})

describe('permissions', () => {
  const { settlePermissions } = codex
  if (settlePermissions === undefined) throw new Error('Codex confines itself')

  it.each<[string, PermissionMode, PermissionMode]>([
    ['', 'workspace', 'workspace'],
    ['sandbox_mode = "read-only"', 'workspace', 'read-only'],
    ['sandbox_mode = "read-only"', 'full', 'read-only'],
    ['sandbox_mode = "workspace-write"', 'workspace', 'workspace'],
    ['sandbox_mode = "danger-full-access"', 'workspace', 'workspace'],
    ['default_permissions = ":read-only"', 'workspace', 'read-only'],
    ['profile = "p"\n[profiles.p]\nsandbox_mode = "read-only"', 'workspace', 'read-only'],
    ['sandbox_mode = [broken', 'workspace', 'workspace'],
    ['sandbox_mode = 7', 'workspace', 'workspace'],
    ['', 'read-only', 'read-only'],
    ['', 'full', 'full'],
  ])('with %j in the configuration, %s is held as %s', async (text, asked, effective) => {
    write('home/config.toml', text)
    expect(await settlePermissions(asked, environment)).toEqual({
      asked,
      effective,
      enforcedBy: effective === 'full' ? 'none' : 'agent',
    })
  })
})

describe('the arguments', () => {
  const request: LaunchRequest = {
    installation: { program: '/c/codex', leadingArguments: [], version: null, environment: {} },
    mode: { kind: 'fresh', sessionToBe: '0f6f3e2a-9d8c-4a7b-8c1d-5e4f3a2b1c0d' },
    prompt: Buffer.from('p'),
    argv: [],
    model: 'spark',
    effort: 'high',
    permissions: { asked: 'workspace', effective: 'workspace', enforcedBy: 'agent' },
    asks: false,
    handOver: null,
    worktree: '/w "quoted"/a',
    workingDirectory: '/w "quoted"/a/sub',
    environment: {},
  }

  it('name model, effort and the whole worktree, fresh and resumed alike', () => {
    const options = [
      ...['-c', 'sandbox_mode="workspace-write"'],
      ...['-c', 'sandbox_workspace_write.writable_roots=["/w \\"quoted\\"/a"]'],
      ...['-c', 'approval_policy="never"'],
      ...['-m', 'gpt-5.3-codex-spark', '-c', 'model_reasoning_effort="high"'],
    ]
    expect(codex.planLaunch(request).argv).toEqual(['/c/codex', 'exec', '--json', ...options, '-'])
    const mode = { kind: 'resume', session: asSessionId('t1'), why: 'reboot' } as const
    expect(codex.planLaunch({ ...request, mode }).argv).toEqual([
      ...['/c/codex', 'exec', 'resume', '--json', ...options, 't1', '-'],
    ])
    const outputSchema = { json: '{}', file: '/t/output-schema.json' }
    expect(codex.planLaunch({ ...request, mode, outputSchema }).argv).toEqual([
      ...['/c/codex', 'exec', 'resume', '--json', ...options],
      ...['--output-schema', '/t/output-schema.json', 't1', '-'],
    ])
  })

  it('quote every value as TOML', () => {
    for (const text of [
      '',
      'plain',
      'a"b\\c',
      "it's",
      'tab\tline\nend\r',
      '\u007f\u0001',
      '🚀 ü',
    ]) {
      expect(parse(`value = ${tomlString(text)}`)).toEqual({ value: text })
    }
  })
})
