/** What starts the worker with the machine, on systems that this one need not be. */
import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { makeBoot } from '../../../src/process/boot/boot.ts'
import { editTable, parseLine, renderLine } from '../../../src/process/boot/cron.ts'
import { parseAgent, renderAgent } from '../../../src/process/boot/launchd.ts'
import {
  type BootProgram,
  findBootProgram,
  findLastingName,
  requireBootable,
} from '../../../src/process/boot/program.ts'
import { parseUnit, renderUnit } from '../../../src/process/boot/systemd.ts'
import { scratchDirectory } from '../../scratch.ts'

const ODD = `my 100% "Prójekt" $HOME it's & <so> -- on`

/** Programs whose paths are odd, and that are there. `node` prints what it is given. */
function oddProgram(): BootProgram {
  const home = join(scratchDirectory(), ODD)
  mkdirSync(home)
  const node = join(home, 'node')
  writeFileSync(node, '#!/bin/sh\nprintf "%s\\n" "$@" "$HOLDFAST_HOME" "$PATH" >"${0%/*}/said"\n')
  chmodSync(node, 0o755)
  const entry = join(home, 'holdfast.cjs')
  writeFileSync(entry, '')
  return { node, entry, home, path: `${home}:/usr/bin:/bin` }
}

test('what each is made of is read back from it', () => {
  const program = oddProgram()
  expect(parseUnit(renderUnit(program))).toEqual(program)
  expect(parseAgent(renderAgent('holdfast.worker', program))).toEqual(program)
  expect(parseLine(renderLine(program))).toEqual(program)
  for (const text of ['', '# holdfast: {', '@reboot echo # holdfast worker install']) {
    expect([parseUnit(text), parseAgent(text), parseLine(text)]).toEqual([
      undefined,
      undefined,
      undefined,
    ])
  }
})

test('what cron hands to sh starts the program, with nothing of it lost', () => {
  const program = oddProgram()
  // Cron takes `\%` for `%`, and would end the command at any other.
  const command = renderLine(program).replace(/^@reboot /, '')
  expect(command).not.toMatch(/(?<!\\)%/)
  execFileSync('/bin/sh', ['-c', command.replaceAll('\\%', '%')], { env: {} })
  const said = readFileSync(join(program.home, 'said'), 'utf8').trim().split('\n')
  expect(said).toEqual([program.entry, 'worker', 'start', program.home, program.path])
  const refuse = (change: Partial<BootProgram>) => () => renderLine({ ...program, ...change })
  expect(refuse({ home: '/a\\b' })).toThrow('backslash')
  expect(refuse({ home: `/${'a'.repeat(990)}` })).toThrow('990 bytes')
})

const hasVerify = spawnSync('systemd-analyze', ['--version']).status === 0

test.skipIf(!hasVerify)('systemd understands the unit, and each path in it', () => {
  const program = oddProgram()
  const unit = join(scratchDirectory(), 'holdfast.service')
  writeFileSync(unit, renderUnit(program))
  const runtime = scratchDirectory()
  const env = { ...process.env, XDG_RUNTIME_DIR: runtime, SYSTEMD_LOG_LEVEL: 'info' }
  const verify = () =>
    spawnSync('systemd-analyze', ['verify', '--user', unit], { env, encoding: 'utf8' })
  const aboutOurs = () =>
    verify()
      .stderr.split('\n')
      .filter(line => /holdfast/i.test(line))
  expect(aboutOurs()).toEqual([])
  // That it would have said so.
  writeFileSync(unit, renderUnit(program).replace('KillMode=process', 'KillMode=most'))
  expect(aboutOurs().join('\n')).toContain('most')
  // What systemd makes of a unit, and then `sh`: its own rules, from their end.
  const [, start = ''] = /^ExecStart=(.*)$/m.exec(renderUnit(program)) ?? []
  const words = [...start.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(([, quoted, bare]) =>
    (quoted?.replaceAll(/\\(.)/g, '$1') ?? bare ?? '').replaceAll('%%', '%').replaceAll('$$', '$'),
  )
  const started = { HOLDFAST_HOME: program.home, PATH: program.path }
  execFileSync(words[0] ?? '', words.slice(1), { env: started })
  const said = readFileSync(join(program.home, 'said'), 'utf8').trim().split('\n')
  expect(said).toEqual([program.entry, 'worker', 'start', program.home, program.path])
})

test('in the table of cron every other line stays as it is', () => {
  const program = oddProgram()
  const [ours, others] = [renderLine(program), renderLine({ ...program, home: '/other' })]
  const table = `# mine\n\n@reboot echo # holdfast\n5 * * * * a \\% b\n${others}\nMAILTO=me`
  const with1 = editTable(table, program.home, ours)
  expect(with1).toBe(`${table}\n${ours}\n`)
  expect(editTable(with1, program.home, ours)).toBe(with1)
  expect(editTable(with1, program.home, null)).toBe(`${table}\n`)
  expect(editTable('', program.home, ours)).toBe(`${ours}\n`)
  expect(editTable(`${ours}\n`, program.home, null)).toBe('')
})

describe('a program is named', () => {
  test('so that an update does not move it, and not where it is gone by the next boot', () => {
    const scratch = scratchDirectory()
    const [cellar, bin] = [join(scratch, 'Cellar/24.1'), join(scratch, 'bin')]
    for (const directory of [cellar, bin]) mkdirSync(directory, { recursive: true })
    const node = join(cellar, 'node')
    writeFileSync(node, '', { mode: 0o755 })
    symlinkSync(node, join(bin, 'node'))
    expect(findLastingName(node, 'node', ['/usr/bin', bin, cellar])).toBe(join(bin, 'node'))
    expect(findLastingName(node, 'node', ['/usr/bin'])).toBe(node)
    // A scratch directory is one that passes.
    expect(findBootProgram([node, node], '/h', `${bin}:relative`)).toMatchObject({
      node,
      home: '/h',
    })
    expect(() =>
      requireBootable({ node: '/n', entry: '/u/.npm/_npx/1/x.cjs', home: '/h', path: '' }),
    ).toThrow('npx')
    expect(() => requireBootable({ node: '/n', entry: '/x.cjs', home: '/a\nb', path: '' })).toThrow(
      'control character',
    )
  })
})

/** A user with a home directory, a `crontab` that keeps a file, and a `systemctl` that writes down. */
function makeUser() {
  const program = oddProgram()
  const scratch = scratchDirectory()
  const bin = join(scratch, 'bin')
  mkdirSync(bin)
  const table = join(scratch, 'table')
  const put = (name: string, body: string) => {
    writeFileSync(join(bin, name), `#!/bin/sh\n${body}\n`, { mode: 0o755 })
  }
  put(
    'crontab',
    `[ ! -e '${scratch}/broken' ] || { echo 'crontabs/me: permission denied' >&2; exit 1; }
if [ "$1" = -l ]; then cat '${table}' 2>/dev/null || { echo 'no crontab for me' >&2; exit 1; }
else echo >>'${scratch}/writes'; cat >'${table}'; fi`,
  )
  put('systemctl', `echo "$@" >>'${scratch}/systemctl'; exit 1`)
  const options = {
    home: program.home,
    isDefaultHome: false,
    command: [program.node, program.entry] as const,
    environment: { PATH: `${bin}:/usr/bin:/bin`, HOME: scratch },
    platform: 'linux' as const,
    systemdRuns: join(scratch, 'systemd'),
    lingering: join(scratch, 'linger'),
  }
  return { program, scratch, bin, table, options, boot: makeBoot(options) }
}

test('it is installed once, found, told when it is wrong, mended and taken away', async () => {
  const { program, scratch, table, options, boot } = makeUser()
  const mine = '# mine\n5 4 * * * run-me\n'
  writeFileSync(table, mine)
  expect(boot.chooseMethod()).toBe('cron')
  expect(await boot.find()).toEqual([])

  for (const _ of [1, 2]) expect(await boot.install('cron')).toEqual([])
  expect(readFileSync(table, 'utf8')).toBe(mine + boot.describe('cron').text)
  // It was right already: nothing is written for nothing.
  expect(readFileSync(join(scratch, 'writes'), 'utf8')).toBe('\n')
  expect(await boot.find()).toEqual([{ method: 'cron', where: 'crontab', problem: null }])

  mkdirSync(options.systemdRuns)
  expect(boot.chooseMethod()).toBe('systemd')
  const notes = await boot.install('systemd')
  expect(notes).toEqual([
    expect.stringContaining('no systemd user manager'),
    expect.stringContaining('loginctl enable-linger'),
  ])
  expect(readFileSync(join(scratch, 'systemctl'), 'utf8')).toBe('--user daemon-reload\n')
  expect(readFileSync(table, 'utf8')).toBe(mine)
  const { where, text } = boot.describe('systemd')
  expect(readFileSync(where, 'utf8')).toBe(text)
  expect(await boot.find()).toEqual([{ method: 'systemd', where, problem: null }])
  const wants = join(where, '..', 'default.target.wants')
  expect(readdirSync(wants)).toHaveLength(1)

  const problem = async () => (await boot.find()).map(({ problem }) => problem)
  writeFileSync(where, text.replace('KillMode=process', 'KillMode=control-group'))
  expect(await problem()).toEqual(['it is not as Holdfast writes it'])
  await boot.install('systemd')
  renameSync(program.node, `${program.node}.old`)
  expect(await problem()).toEqual([`it names ${program.node}, which is not there`])
  const moved = makeBoot({ ...options, command: [`${program.node}.old`, program.entry] })
  await moved.install('systemd')
  expect(await problem()).toEqual([null])

  // Of another state directory nothing is taken.
  const other = makeBoot({ ...options, home: scratch, isDefaultHome: true })
  await other.install('cron')
  expect(await other.remove()).toEqual(['crontab'])
  expect(await boot.remove()).toEqual([where])
  expect([existsSync(where), readdirSync(wants), await boot.find()]).toEqual([false, [], []])
  expect(readFileSync(table, 'utf8')).toBe(mine)
  expect(await boot.remove()).toEqual([])
})

test('a table that cannot be read is not written: its lines would be lost', async () => {
  const { scratch, table, boot } = makeUser()
  writeFileSync(table, '# mine\n')
  writeFileSync(join(scratch, 'broken'), '')
  await expect(boot.install('cron')).rejects.toThrow('permission denied')
  await expect(boot.remove()).rejects.toThrow('permission denied')
  expect(readFileSync(table, 'utf8')).toBe('# mine\n')
  expect(existsSync(join(scratch, 'writes'))).toBe(false)
})

test('on macOS it is an agent of launchd; without systemd and cron there is nothing', async () => {
  const { scratch, bin, options } = makeUser()
  const mac = makeBoot({ ...options, platform: 'darwin' })
  expect(mac.chooseMethod()).toBe('launchd')
  expect(await mac.install('launchd')).toEqual([expect.stringContaining('when you log in')])
  const { where, text } = mac.describe('launchd')
  expect(where).toMatch(/Library\/LaunchAgents\/holdfast-\w{8}\.worker\.plist$/)
  expect(readFileSync(where, 'utf8')).toBe(text)
  expect(await mac.find()).toEqual([{ method: 'launchd', where, problem: null }])
  expect(await mac.remove()).toEqual([where])

  const bare = makeBoot({ ...options, environment: { PATH: scratch, HOME: scratch } })
  expect(() => bare.chooseMethod()).toThrow('neither systemd nor cron')
  expect(existsSync(bin)).toBe(true)
})
