/** The channels that start a program, with a real one that writes down its arguments. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { hasDesktop, makeDesktopChannel } from '../../src/notify/desktop.ts'
import { makeOpenclawChannel } from '../../src/notify/openclaw.ts'
import { scratchDirectory } from '../scratch.ts'
import { never, notice } from './notices.ts'

const hostile = notice({
  name: '--icon=/x $(touch canary) `touch canary`',
  repository: '/x/" & (do shell script \\"touch canary\\") & "<b>',
})

/** A directory with a program of that name, which ends with `end`; what it was given. */
function standIn(name: string, end = 'exit 0') {
  const directory = scratchDirectory()
  const log = join(directory, 'argv')
  const script = `#!/bin/sh
for word in "$@"; do printf '%s\\0' "$word"; done > '${log}'
printf %s "$DBUS_SESSION_BUS_ADDRESS" > '${log}.bus'
${end}
`
  writeFileSync(join(directory, name), script, { mode: 0o755 })
  return {
    environment: { PATH: `${directory}:/usr/bin:/bin` },
    argv: () => readFileSync(log, 'utf8').split('\0').slice(0, -1),
    bus: () => readFileSync(`${log}.bus`, 'utf8'),
    state: () => readFileSync(join(directory, 'state'), 'utf8'),
    canary: join(directory, 'canary'),
  }
}

test('notify-send gets title and body as two arguments, markup and backslashes as text', async () => {
  const { environment, argv, bus, canary } = standIn('notify-send')
  const before = { ...environment, XDG_RUNTIME_DIR: '/run/user/7' }
  await makeDesktopChannel(before, 'linux').send({ kind: 'desktop' }, [hostile], never)
  const [app, end, title, body, ...rest] = argv()
  expect([app, end, rest]).toEqual(['--app-name=Holdfast', '--', []])
  expect(title).toBe('Holdfast: --icon=/x $(touch canary) `touch canary` succeeded')
  expect(body).toContain('&amp; (do shell script \\\\"touch canary\\\\") &amp; "&lt;b&gt;')
  expect(bus()).toBe('unix:path=/run/user/7/bus')
  expect(existsSync(canary)).toBe(false)
})

test('osascript gets the same script whatever the texts are', async () => {
  const { environment, argv } = standIn('osascript')
  const channel = makeDesktopChannel(environment, 'darwin')
  await channel.send({ kind: 'desktop' }, [notice()], never)
  const harmless = argv()
  await channel.send({ kind: 'desktop' }, [hostile, notice()], never)
  const script = argv().slice(0, -2)
  expect(script).toEqual(harmless.slice(0, -2))
  expect(script.filter(word => word !== '-e').join('\n')).toBe(
    'on run argv\ndisplay notification (item 2 of argv) with title (item 1 of argv)\nend run',
  )
  expect(argv().at(-1)?.split('\n')).toHaveLength(2)
})

test('OpenClaw gets one event for now, for the session and by the OpenClaw that were named', async () => {
  const end = `printf '%s' "$OPENCLAW_STATE_DIR" > "$(dirname "$0")/state"`
  const { environment, argv, state } = standIn('openclaw', end)
  const send = (session: string | null, own = {}) =>
    makeOpenclawChannel(environment).send(
      { kind: 'openclaw', session, environment: own },
      [hostile],
      never,
    )
  await send(null)
  const [system, event, flag, text, ...rest] = argv()
  expect([system, event, flag, ...rest]).toEqual(['system', 'event', '--text', '--mode', 'now'])
  expect(text).toMatch(/^Holdfast: --icon.* succeeded\n--icon/)
  expect(state()).toBe('')
  await send('-agent:main:work', { OPENCLAW_STATE_DIR: '/there' })
  expect(argv().slice(4)).toEqual(['--mode', 'now', '--session-key=-agent:main:work'])
  expect(state()).toBe('/there')
})

test('a program that is not there is lasting, one that fails is not, and both are told', async () => {
  const send = (environment: Readonly<Record<string, string>>, signal = never) =>
    makeOpenclawChannel(environment)
      .send({ kind: 'openclaw', session: null, environment: {} }, [notice()], signal)
      .catch((thrown: unknown) => thrown)
  const absent = { PATH: scratchDirectory() }
  expect(await send(absent)).toMatchObject({
    message: 'openclaw is not on the PATH of the worker',
    isLasting: true,
  })
  const secret = `sk-${'a'.repeat(40)}`
  const logged = '\\033[31m[sqlite]\\033[39m slow'
  const words = `printf '${logged}\\n\\033[31mno gateway ${secret}\\033[39m\\n'`
  const failing = standIn('openclaw', `${words} >&2; exit 3`)
  expect(await send(failing.environment)).toMatchObject({
    message: 'openclaw failed (exit 3): no gateway [redacted]',
    isLasting: false,
  })
  const stop = new AbortController()
  const waiting = send(standIn('openclaw', 'exec sleep 1000').environment, stop.signal)
  stop.abort()
  expect(await waiting).toMatchObject({ name: 'DeliveryError', isLasting: false })
})

test.each<[string, Record<string, string>, string, boolean]>([
  ['X', { DISPLAY: ':0' }, 'linux', true],
  ['Wayland', { WAYLAND_DISPLAY: 'wayland-0' }, 'linux', true],
  ['a console', {}, 'linux', false],
  ['an empty display', { DISPLAY: '' }, 'linux', false],
  ['X over SSH', { DISPLAY: 'localhost:10.0', SSH_CONNECTION: '1 2 3 4' }, 'linux', false],
  ['macOS', {}, 'darwin', true],
  ['macOS over SSH', { SSH_TTY: '/dev/ttys1' }, 'darwin', false],
  ['another system', { DISPLAY: ':0' }, 'freebsd', false],
])('whether there is a desktop: %s', (_, environment, platform, is) =>
  expect(hasDesktop(environment, platform)).toBe(is),
)
