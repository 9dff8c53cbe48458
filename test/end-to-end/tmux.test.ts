/** `run --tmux`, with the real tmux where it is installed. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../eventually.ts'
import { House } from './house.ts'

const tmux = (process.env.PATH ?? '')
  .split(':')
  .map(directory => join(directory, 'tmux'))
  .find(existsSync)

/** A server of the test's own. */
function tmuxHouse() {
  const house = new House()
  const directory = join(house.scratch, 't')
  mkdirSync(directory)
  house.environment.TMUX_TMPDIR = directory
  const say = (...words: string[]) => {
    try {
      const options = { env: house.environment, encoding: 'utf8', stdio: 'pipe' } as const
      return execFileSync(tmux ?? 'tmux', words, options)
    } catch {
      return '' // It has no such session, or no server is up.
    }
  }
  return { house, say, sessions: () => say('list-sessions', '-F', '#S').trim() }
}

test.skipIf(tmux === undefined)(
  'a task can be watched in a session of its name, which may be closed, and ends with it',
  async () => {
    const { house, say, sessions } = tmuxHouse()
    const gate = join(house.scratch, 'gate')
    const script = `echo said by it; while [ ! -e '${gate}' ]; do sleep 0.05; done`
    const name = ['--name', 'fix.the-login']
    const words = ['run', 'command', '--tmux', ...name, '--', '/bin/sh', '-c', script]
    const first = await house.run(words)
    expect(first).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('watch it: tmux attach -t command-fix-the-login\n'),
    })
    await eventually('it is shown', () =>
      say('capture-pane', '-p', '-t', 'command-fix-the-login').includes('said by it'),
    )
    // A second of the same name has another session, and whoever closes that ends nothing.
    const second = await house.run(words)
    const other = `command-fix-the-login-${second.stdout.trim()}`
    expect(second.stderr).toContain(other)
    expect(sessions().split('\n').sort()).toEqual(['command-fix-the-login', other])
    say('kill-session', '-t', `=${other}`)
    expect(sessions()).toBe('command-fix-the-login')

    writeFileSync(gate, '')
    for (const { stdout } of [first, second]) {
      expect((await house.wait(stdout.trim())).state).toBe('succeeded')
    }
    await eventually('its session has ended', () => sessions() === '')
  },
)

test('without tmux it is refused before anything is handed in', async () => {
  const house = new House()
  const bin = join(house.scratch, 'bin')
  mkdirSync(bin)
  const git = (process.env.PATH ?? '').split(':').map(directory => join(directory, 'git'))
  symlinkSync(git.find(existsSync) ?? '', join(bin, 'git'))
  const environment = { PATH: bin }
  const run = await house.run(['run', 'command', '--tmux', '--', 'true'], { environment })
  expect(run).toMatchObject({
    code: 6,
    stdout: '',
    stderr: expect.stringMatching(/tmux.*logs -f/s),
  })
  expect(existsSync(join(house.home, 'tasks'))).toBe(false)
})
