/** What macOS's programs say (`test/fixtures/macos/README.md`), parsed, and put together. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { MARK_VARIABLE } from '../../../src/domain/environment.ts'
import { asFence, makeTaskId } from '../../../src/domain/ids.ts'
import { ProcessesUnseen } from '../../../src/ports/process-table.ts'
import { makeProcessHost } from '../../../src/process/host.ts'
import { directoriesOf, parseDirectories } from '../../../src/process/macos/lsof.ts'
import { parseBoot, parseMachine } from '../../../src/process/macos/place.ts'
import {
  environmentsOf,
  findVariable,
  hasDied,
  isUnreadable,
  parseCommands,
  parseTable,
  TABLE,
} from '../../../src/process/macos/ps.ts'
import { parseSessions } from '../../../src/process/macos/sessions.ts'
import { makeMacosTable } from '../../../src/process/macos/table.ts'
import { scratchDirectory } from '../../scratch.ts'
import { fixture } from '../attempts.ts'

const recorded = (name: string) => readFileSync(fixture(`macos/${name}`), 'utf8')

const MARK = 'k3v9m2x7qd.1.AbC-_9876543'
const WORKTREE = '/Users/tess/.holdfast/worktrees/k3v9m2x7qd'

describe('the table of ps', () => {
  const rows = parseTable(recorded('ps-table.txt'))
  const rowOf = (pid: number) => rows.find(row => row.pid === pid)

  test('has each process, but for the kernel and the rest of a name', () => {
    expect(rows.map(({ pid }) => pid)).toEqual([
      1, 88, 431, 777, 802, 803, 900, 901, 60990, 61000, 61001, 61010, 61011, 61012, 61013, 61014,
      61015, 61016, 61017, 99998,
    ])
  })

  test('is read column by column', () => {
    expect(rowOf(61011)).toEqual({
      pid: 61011,
      parent: 61010,
      group: 61010,
      effectiveUser: 501,
      realUser: 501,
      state: 'S',
      terminal: false,
      startTime: Date.UTC(2026, 10, 21, 10, 12, 10) / 1000,
      name: 'codex',
    })
  })

  test.each([
    ['blanks', 777, { name: 'Google Chrome He' }],
    ['parentheses', 802, { name: '(two) S 1 (one)', state: 'SN' }],
    ['a line break', 803, { name: 'line' }],
  ])('takes a name with %s as it is', (_, pid, facts) => {
    expect(rowOf(pid)).toMatchObject(facts)
  })

  test.each([
    ['a day of one digit', 1, Date.UTC(2026, 10, 7, 6, 1, 22)],
    ['a day of two', 431, Date.UTC(2026, 10, 18, 9, 0, 3)],
    ['another year', 901, Date.UTC(2025, 11, 31, 23, 59, 59)],
  ])('reads a start time with %s', (_, pid, time) => {
    expect(rowOf(pid)?.startTime).toBe(time / 1000)
  })

  test.each([
    ['??', 61011, false],
    ['ttys000', 901, true],
  ])('tells a terminal from none (%s)', (_, pid, terminal) => {
    expect(rowOf(pid)?.terminal).toBe(terminal)
  })

  test('tells the dead from those that are stopped, or about to end', () => {
    expect(rows.filter(hasDied).map(({ pid }) => pid)).toEqual([61013])
    expect(rowOf(61014)?.state).toBe('T')
    expect(rowOf(61016)?.state).toBe('UEs')
  })

  test('takes a user of a negative number, and one that is another’s', () => {
    expect(rowOf(88)).toMatchObject({ effectiveUser: -2, realUser: -2 })
    expect(rowOf(900)).toMatchObject({ effectiveUser: 0, realUser: 501 })
  })

  test.each(['', 'ps: illegal option', '  PID  PPID  PGID', '1 2 3'])(
    'what is no row is none (%j)',
    text => {
      expect(parseTable(text)).toEqual([])
    },
  )
})

describe('an environment of ps', () => {
  const lines = parseCommands(recorded('ps-environments.txt'))
  const markOf = (pid: number) => findVariable(lines.get(pid) ?? '', MARK_VARIABLE)

  test.each([
    ['stands between values with blanks and equals signs', 61011, MARK],
    ['is the last of it', 61012, MARK],
    ['is of another attempt', 61015, 'f1xl0gin22.3.zyxwvutsrqpo'],
    ['is not shown, of a program of the system', 61010, null],
    ['is none: another variable’s value speaks of it', 60990, null],
    ['is none: it has died', 61013, null],
  ])('a mark %s', (_, pid, mark) => {
    expect(markOf(pid)).toBe(mark)
  })

  test('a badge is read to its end', () => {
    expect(findVariable(lines.get(61017) ?? '', 'HOLDFAST_GIT')).toBe(
      '61010,1795255930,61010,macos,%2FUsers%2Ftess%2F.holdfast%2Fworktrees%2Fa%20b',
    )
  })

  test('is told from one that cannot be read', () => {
    const rows = parseTable(recorded('ps-table.txt'))
    const unread = rows.filter(row => lines.has(row.pid) && isUnreadable(lines.get(row.pid), row))
    expect(unread.map(({ pid }) => pid)).toEqual([61013, 61016])
  })
})

test('commands are told without any environment', () => {
  const commands = parseCommands(recorded('ps-commands.txt'))
  expect(commands.get(61015)).toBe('/opt/homebrew/bin/python3.14 -m http.server')
  expect(commands.get(803)).toBe('/tmp/line^Jbreak')
  expect([...commands.values()].filter(line => line.includes('PATH='))).toEqual([])
})

describe('the directories of lsof', () => {
  const directories = parseDirectories(recorded('lsof-cwd.txt'))

  test.each([
    ['a directory', 61011, WORKTREE],
    ['blanks, escapes and what is not ASCII', 61012, `${WORKTREE}/a b/josé\\n\t!`],
    ['parentheses in its name', 61017, '/Users/tess/what (now)'],
    ['none that we may see', 61014, undefined],
    ['another file than the directory', 61015, undefined],
    ['an error in the place of a name', 61016, undefined],
  ])('%s', (_, pid, directory) => {
    expect(directories.get(pid)).toBe(directory)
  })

  test('its warnings name no process', () => {
    expect(parseDirectories(recorded('lsof-cwd.stderr.txt')).size).toBe(0)
  })
})

test('machine, boot and sessions', () => {
  expect(parseMachine(recorded('ioreg.txt'))).toBe('6C1D0E5F-70E0-5E3B-8D5B-0B9C5F1F2A77')
  expect(parseBoot(recorded('sysctl.txt'))).toBe('0D0C0F6A-6A0E-4D43-9F6C-6A3B9C0C1D2E')
  expect([parseMachine(''), parseBoot('sysctl: unknown oid'), parseBoot('')]).toEqual(['', '', ''])
  const sessions = parseSessions(recorded('sessions.txt'))
  expect([sessions.get(61014), sessions.get(61016)]).toEqual([61010, undefined])
})

/** Programs that print what was recorded, where they are asked for it in the words it was recorded with. */
function makeRecordedPrograms(changes: Record<string, string> = {}): string {
  const directory = scratchDirectory()
  const user = process.geteuid?.() ?? -1
  const column = (id: number) => String(id).padStart(5)
  const answers: Record<string, readonly [string, string][]> = {
    ps: [
      [TABLE.join(' '), 'ps-table.txt'],
      [`${environmentsOf([]).join(' ')}*`, 'ps-environments.txt'],
      ['*', 'ps-commands.txt'],
    ],
    lsof: [[directoriesOf(user).join(' '), 'lsof-cwd.txt']],
    perl: [['*', 'sessions.txt']],
    sysctl: [['*', 'sysctl.txt']],
    ioreg: [['*', 'ioreg.txt']],
  }
  for (const [program, known] of Object.entries(answers)) {
    const cases = known.map(([words, name]) => {
      const text = (changes[name] ?? recorded(name))
        .replaceAll('61000', String(process.pid))
        .replaceAll(`${column(0)} ${column(0)}`, `${column(3)} ${column(3)}`)
        .replaceAll(column(501), column(user))
      writeFileSync(join(directory, name), text)
      return `  ${words.replaceAll(' ', '\\ ')}) exec /bin/cat '${join(directory, name)}' ;;`
    })
    const script = `#!/bin/sh\ncase $* in\n${cases.join('\n')}\nesac\nexit 64\n`
    writeFileSync(join(directory, program), script, { mode: 0o755 })
  }
  return directory
}

describe('a scan of what was recorded', () => {
  test('puts together who is who', () => {
    const bearers: string[] = []
    const seen = makeMacosTable(makeRecordedPrograms()).scan(MARK_VARIABLE, 0, ({ pid }, mark) =>
      bearers.push(`${pid} ${mark}`),
    )
    expect(bearers).toEqual([
      `61011 ${MARK}`,
      `61012 ${MARK}`,
      '61015 f1xl0gin22.3.zyxwvutsrqpo',
      `61017 ${MARK}`,
    ])
    expect(seen.find(({ pid }) => pid === 61012)).toMatchObject({
      parent: 61011,
      group: 61012,
      session: 61012,
      terminal: false,
      name: 'node',
      mark: MARK,
      directory: `${WORKTREE}/a b/josé\\n\t!`,
    })
    expect(seen.find(({ pid }) => pid === 61010)).toMatchObject({ mark: null, session: 61010 })
    expect(seen.find(({ pid }) => pid === 61016)).toMatchObject({ session: 0, directory: null })
    // Another user's, the dead, launchd, the process that asks.
    const left = [1, 88, 61013, 99998, process.pid]
    expect(seen.filter(({ pid }) => left.includes(pid))).toEqual([])
  })

  test('fails where ps, or lsof, does not answer: nothing is known then', () => {
    const nowhere = scratchDirectory()
    const table = makeMacosTable(nowhere)
    expect(() => table.scan(MARK_VARIABLE, 0, () => undefined)).toThrow(ProcessesUnseen)
    expect(() => table.find(process.pid)).toThrow('cannot run')
    expect(table.liveness({ pid: process.pid, startTime: 1 })).toBe('unknown')
    expect(table.liveness({ pid: 3_999_999, startTime: 1 })).toBe('dead')
    expect(table.place()).toEqual({ machine: '', boot: '', pidNamespace: 'macos' })

    const silent = makeRecordedPrograms()
    writeFileSync(join(silent, 'lsof'), '#!/bin/sh\necho broken >&2\nexit 2\n')
    expect(() => makeMacosTable(silent).scan(MARK_VARIABLE, 0, () => undefined)).toThrow(
      'lsof failed (2): broken',
    )
  })

  test('so that nothing is reported as ended', async () => {
    const host = makeProcessHost(makeMacosTable(scratchDirectory()))
    const task = makeTaskId(new Uint8Array(10))
    const runDirectory = join(scratchDirectory(), 'run')
    const attempt = { task, fence: asFence(1), runDirectory, worktree: null }
    expect(await host.stop(attempt, { graceful: null, graceMs: 0 })).toEqual({
      ended: false,
      processes: [],
    })
  })

  test('does not believe a table without the process that asks', () => {
    const strange = makeRecordedPrograms({
      'ps-table.txt': recorded('ps-table.txt').replace(/^61000.*\n/m, ''),
    })
    const table = makeMacosTable(strange)
    expect(() => table.scan(MARK_VARIABLE, 0, () => undefined)).toThrow('does not show')
    expect(table.liveness({ pid: process.pid, startTime: 1 })).toBe('unknown')
  })
})

test('looks at living processes share a look of ps', () => {
  const directory = makeRecordedPrograms()
  const asked = join(directory, 'asked')
  const script = readFileSync(join(directory, 'ps'), 'utf8')
  writeFileSync(join(directory, 'ps'), script.replace('\n', `\necho >>'${asked}'\n`))
  const table = makeMacosTable(directory)
  const startTime = Date.UTC(2026, 10, 21, 10, 12, 8) / 1000
  for (let i = 0; i < 200; i++) {
    expect(table.liveness({ pid: process.pid, startTime })).toBe('alive')
    // A number that was given out anew since needs no further look either.
    expect(table.liveness({ pid: process.pid, startTime: startTime - 1 })).toBe('dead')
  }
  // One a second at most, however slow this machine is.
  expect(readFileSync(asked, 'utf8').length).toBeLessThan(100)
})
