import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { shellLine } from '../../../src/domain/shell-word.ts'
import { makeBubblewrap } from '../../../src/process/linux/confinement.ts'
import { confinedTest, visibleScratch } from '../../confined.ts'
import { scratchDirectory } from '../../scratch.ts'

const confinementOf = (toolPath: string, isSandboxed = false) =>
  makeBubblewrap({ home: scratchDirectory(), toolPath, isSandboxed: async () => isSandboxed })

/** A directory with a `bwrap` in it that does as the script says. */
function withBubblewrap(script: string): string {
  const directory = scratchDirectory()
  writeFileSync(join(directory, 'bwrap'), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  return directory
}

test('where it is missing, it is refused with what to install', async () => {
  const relative = withBubblewrap('exit 0').slice(1)
  for (const toolPath of ['', '/nowhere', relative, '.']) {
    await expect(confinementOf(toolPath).requireWorking()).rejects.toMatchObject({
      code: 'permissions_unavailable',
      message: expect.stringContaining('bubblewrap is not installed'),
      hint: expect.stringMatching(/apt install bubblewrap.*--permissions full/),
    })
  }
})

test('where it does not work, its own words are told; it is tried again the next time', async () => {
  const directory = withBubblewrap(
    'echo "bwrap: setting up uid map: Permission denied" >&2; exit 1',
  )
  const confinement = confinementOf(directory)
  await expect(confinement.requireWorking()).rejects.toMatchObject({
    code: 'permissions_unavailable',
    message: expect.stringContaining('setting up uid map: Permission denied'),
    hint: expect.stringContaining('--permissions full'),
  })
  writeFileSync(join(directory, 'bwrap'), '#!/bin/sh\nexit 0\n')
  await confinement.requireWorking()
})

test('from inside of a sandbox it is left to whoever starts the agent', async () => {
  const confinement = confinementOf('/nowhere', true)
  await confinement.requireWorking()
  const confines = {
    mode: 'workspace',
    worktree: '/w',
    commonDir: '/c',
    workingDirectory: '/w',
    program: '/bin/true',
    environment: {},
    scratch: join(scratchDirectory(), 'scratch'),
    own: { readable: [], writable: [] },
  } as const
  await expect(confinement.enclose(confines)).rejects.toMatchObject({
    code: 'permissions_unavailable',
  })
})

confinedTest(
  'one that knows no --disable-userns holds all the same, but for namespaces',
  async () => {
    const root = visibleScratch()
    const real = execFileSync('/bin/sh', ['-c', 'command -v bwrap'], { encoding: 'utf8' }).trim()
    const old = withBubblewrap(
      `for a; do [ "$a" != --disable-userns ] || { echo "bwrap: Unknown option $a" >&2; exit 1; }; done
    exec '${real}' "$@"`,
    )
    writeFileSync(join(root, '.git'), 'gitdir: /nowhere\n')
    const { argv } = await confinementOf(old).enclose({
      mode: 'workspace',
      worktree: root,
      commonDir: root,
      workingDirectory: root,
      program: '/bin/sh',
      environment: {},
      scratch: join(scratchDirectory(), 'scratch'),
      own: { readable: [], writable: [] },
    })
    expect(argv).not.toContain('--disable-userns')
    const [program, ...args] = argv
    const script = 'echo x >inside; echo x >.git; echo x >../outside; true'
    execFileSync(program, [...args, '/bin/sh', '-c', script], { stdio: 'ignore' })
    expect(existsSync(join(root, 'inside'))).toBe(true)
    expect(existsSync(join(root, '../outside'))).toBe(false)
  },
)

confinedTest('at a terminal it can type nothing for the shell behind it to run', async () => {
  const root = visibleScratch()
  writeFileSync(join(root, '.git'), 'gitdir: /nowhere\n')
  const { argv } = await confinementOf(process.env.PATH ?? '').enclose({
    mode: 'workspace',
    worktree: root,
    commonDir: root,
    workingDirectory: root,
    program: '/usr/bin/perl',
    environment: {},
    scratch: join(scratchDirectory(), 'scratch'),
    own: { readable: [], writable: [] },
    terminal: true,
  })
  const type = 'print -t STDIN ? "tty" : "none"; $x = "x"; ioctl(STDIN, 0x5412, $x); print " $!"'
  const line = shellLine([...argv, '/usr/bin/perl', '-e', type])
  const said = execFileSync('script', ['-qec', line, '/dev/null'], { encoding: 'utf8' })
  // Some kernels forbid it to everybody, in other words.
  expect(said.trim()).toBe('tty Operation not permitted')
})

confinedTest(
  'files can be made beside those that are only readable, and are gone with it',
  async () => {
    const root = visibleScratch()
    const place = (name: string) => join(root, name)
    for (const name of ['worktree', 'common', 'agent/extensions', 'agent/sessions/old']) {
      mkdirSync(place(name), { recursive: true })
    }
    writeFileSync(place('worktree/.git'), 'gitdir: ../common\n')
    writeFileSync(place('agent/auth.json'), 'login')
    writeFileSync(place('agent/settings.json'), 'settings')
    writeFileSync(place('agent/sessions/old/kept'), 'kept')
    symlinkSync('settings.json', place('agent/link.json'))
    writeFileSync(place('agent/list.json'), 'list')
    const { argv } = await confinementOf(process.env.PATH ?? '').enclose({
      mode: 'workspace',
      worktree: place('worktree'),
      commonDir: place('common'),
      workingDirectory: place('worktree'),
      program: '/bin/sh',
      environment: {},
      scratch: place('scratch'),
      own: {
        readable: [place('agent/missing.json'), place('agent/sessions/old/kept')],
        writable: [place('agent/auth.json'), place('agent/sessions/old')],
        made: [place('agent/sessions/deep')],
        loose: [{ path: place('agent'), locks: [], anew: ['list.json'] }],
      },
    })
    const script = `cd ${root}/agent
    mkdir auth.json.lock && echo locked; rmdir auth.json.lock
    cat settings.json link.json; echo
    echo new >list.tmp && mv list.tmp list.json && cat list.json
    for file in settings.json extensions/new.ts link.json sessions/new sessions/old/kept; do
      { echo x >$file; } 2>/dev/null && echo wrote $file
    done
    echo renewed >auth.json; echo said >sessions/deep/new; mkdir planted`
    const [program = '', ...args] = argv
    const output = execFileSync(program, [...args, '/bin/sh', '-c', script], { encoding: 'utf8' })
    expect(output).toBe('locked\nsettingssettings\nnew\n')
    expect(readFileSync(place('agent/list.json'), 'utf8')).toBe('list')
    expect(readFileSync(place('agent/auth.json'), 'utf8')).toBe('renewed\n')
    expect(readFileSync(place('agent/sessions/deep/new'), 'utf8')).toBe('said\n')
    expect(statSync(place('agent/sessions/deep')).mode & 0o777).toBe(0o700)
    expect(readdirSync(place('agent')).sort()).toEqual([
      'auth.json',
      'extensions',
      'link.json',
      'list.json',
      'sessions',
      'settings.json',
    ])
  },
)
