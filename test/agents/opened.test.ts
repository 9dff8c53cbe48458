/** `open`, with the real Codex and its user interface, in tmux, against the scripted model. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { say, shell } from '../../src/demo/scripted-model/script.ts'
import { entry } from '../end-to-end/house.ts'
import { tmux } from '../end-to-end/opened.ts'
import { eventually } from '../eventually.ts'
import { heard, houseWithModel } from './house-with-model.ts'
import { startInTmux } from './tmux-screen.ts'

test.skipIf(tmux === undefined)(
  'a task of Codex is gone on with in its own user interface, and kept as a task',
  async () => {
    const { house, model } = await houseWithModel([say('I have begun.')])
    const id = await house.submit(['codex', 'REMEMBER-THIS', '--name', 'talk'])
    const { session } = await house.wait(id)

    model.setTurns([shell('echo by hand > by-hand.txt'), say('Done as you said.')])
    const screen = startInTmux(house, house.repo, [process.execPath, entry, 'open', 'talk'])
    if ((await screen.sees('I have begun.', 'Trust and continue')) !== 'I have begun.') {
      screen.press('Enter')
      await screen.sees('I have begun.')
    }
    await screen.say('by my own hand')
    await screen.sees('Done as you said.')
    const second = (await house.task('talk')).id
    await eventually('it has written', () => existsSync(join(house.worktree(id), 'by-hand.txt')))
    expect(
      heard(model).some(body => body.includes('REMEMBER-THIS') && body.includes('by my own hand')),
    ).toBe(true)
    await screen.leave('C-c')
    expect(await house.wait(second)).toMatchObject({
      name: 'talk.2',
      state: 'succeeded',
      session,
      follows: id,
    })
    expect(await house.ok(['diff', 'talk'])).toContain('+by hand')
  },
)
