/** `watch`, driven through the real tmux where it is installed. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../eventually.ts'
import { houseWithCodex } from './fake-codex.ts'
import { entry, House } from './house.ts'
import { terminal, tmux } from './terminal.ts'

test.skipIf(tmux === undefined)(
  'a board shows tasks, and one of them is told something, which its session hears',
  async () => {
    const house = houseWithCodex(`
begin
if [ $resumed = yes ]; then printf %s "$prompt" >"$HOME/heard"; finish second; fi
words 'first words'
while [ ! -e "$HOME/gate" ]; do sleep 0.05; done
finish first`)
    const id = await house.submit(['codex', 'do it', '--name', 'the-work'])
    await house.untilState(id, 'running')
    const { type, until, shown, say } = terminal(house)
    type(`'${process.execPath}' '${entry}' watch`, 'Enter')
    await until('the board', 'holdfast · 1 running')
    await until('the task on it', 'the-work')
    type('Enter')
    await until('the task', 'first words')
    // A terminal that becomes small, and large again.
    say('resize-window', '-t', 'w', '-x', '30', '-y', '6')
    await eventually('it fits', () =>
      shown()
        .split('\n')
        .every(line => line.length <= 30),
    )
    say('resize-window', '-t', 'w', '-x', '80', '-y', '12')
    const words = `say "so" $(touch ${join(house.scratch, 'ran')}) \`x\``
    type('-l', words)
    await until('what is typed', words.slice(0, 20))
    type('Enter')
    await until('that it was told', 'told')
    writeFileSync(join(house.scratch, 'gate'), '')
    await until('what it says then', 'second')
    expect(readFileSync(join(house.scratch, 'heard'), 'utf8')).toBe(words)
    expect(existsSync(join(house.scratch, 'ran'))).toBe(false)
    expect((await house.wait(id)).state).toBe('succeeded')
    type('-l', 'and this')
    type('Enter')
    await until('the one that follows', 'the-work.2 follows')
    expect(await house.wait('the-work')).toMatchObject({ follows: id, state: 'succeeded' })
    type('Escape')
    await until('the board again', 'enter opens')
    type('q')
    // With a new prompt of the shell: until then somebody else reads what is typed.
    await eventually('the terminal is as it was', () => {
      const screen = shown()
      return !/enter opens|holdfast · /.test(screen) && screen.split('ready:').length > 2
    })
    type('exit', 'Enter')
  },
)

test('without a terminal it is refused; as JSON it tells of each change, until it is ended', async () => {
  const house = new House()
  expect(await house.run(['watch'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('status --json'),
  })
  const watching = house.start(['watch', '--json'])
  let said = ''
  watching.stdout?.on('data', data => {
    said += data
  })
  const ended = new Promise(resolve => watching.on('close', resolve))
  await eventually('the first line', () => said.includes('\n'))
  const id = await house.submitScript('true')
  await house.wait(id)
  await eventually('its end', () => said.includes('"succeeded"'))
  watching.kill('SIGTERM')
  expect(await ended).toBe(143)
  const documents = said.trim().split('\n')
  for (const line of documents) expect(JSON.parse(line)).toHaveProperty('tasks')
})
