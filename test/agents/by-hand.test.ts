/**
 * A session that a person begins with the real agent, which a task takes over, which is opened by hand
 * in the agent's own user interface, and gone on with by a message. In tmux, against the scripted model.
 */
import { execFile } from 'node:child_process'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, expect, test } from 'vitest'
import { claudeKeptSessions } from '../../src/agents/claude/kept-sessions.ts'
import { openCodeKeptSessions } from '../../src/agents/opencode/kept-sessions.ts'
import { piKeptSessions } from '../../src/agents/pi/kept-sessions.ts'
import { ensureAgent } from '../../src/demo/ensure-agent.ts'
import { writeClaudeHome } from '../../src/demo/scripted-model/claude-home.ts'
import { writeOpenCodeHome } from '../../src/demo/scripted-model/opencode-home.ts'
import { writePiHome } from '../../src/demo/scripted-model/pi-home.ts'
import { byMarker, say, shell } from '../../src/demo/scripted-model/script.ts'
import { type ScriptedModel, startScriptedModel } from '../../src/demo/scripted-model/server.ts'
import type { KeptSessions } from '../../src/ports/agent.ts'
import { canConfine, visibleParent, whyUnconfined } from '../confined.ts'
import { entry, House } from '../end-to-end/house.ts'
import { tmux } from '../end-to-end/opened.ts'
import { eventually } from '../eventually.ts'
import { heard } from './house-with-model.ts'
import { type Screen, startInTmux } from './tmux-screen.ts'

const models: ScriptedModel[] = []
afterEach(async () => {
  for (const model of models.splice(0)) await model.close()
})

interface Case {
  readonly name: 'claude' | 'pi' | 'opencode'
  readonly home: (
    directory: string,
    model: ScriptedModel,
    repo: string,
  ) => Promise<Record<string, string>>
  readonly sessions: KeptSessions
  /** From its start to where it can be typed to; null: it takes long to start, and is begun without. */
  readonly enter: ((screen: Screen) => Promise<unknown>) | null
  /** The keys on which it ends. */
  readonly end: readonly string[]
  /** It goes on only in the directory that it was begun in. */
  readonly isBound: boolean
}

const CASES: readonly Case[] = [
  {
    name: 'claude',
    async home(directory, model, repo) {
      const home = await writeClaudeHome(directory, model.origin)
      const approved = [home.ANTHROPIC_API_KEY]
      // Its worktrees are trusted with it; the dialog begins anew, if it is answered too soon.
      const projects = { [repo]: { hasTrustDialogAccepted: true } }
      const global = { hasCompletedOnboarding: true, customApiKeyResponses: { approved }, projects }
      writeFileSync(join(directory, '.claude.json'), JSON.stringify(global))
      const permissions = { allow: ['Bash'], defaultMode: 'default', disableAutoMode: 'disable' }
      writeFileSync(join(directory, 'settings.json'), JSON.stringify({ permissions }))
      return home
    },
    sessions: claudeKeptSessions,
    enter: screen => screen.sees('manual mode on'),
    end: ['C-d', 'C-d'],
    isBound: false,
  },
  {
    name: 'pi',
    home: (directory, model) => writePiHome(directory, model.url),
    sessions: piKeptSessions,
    enter: screen => screen.sees('(auto)'),
    end: ['C-d'],
    isBound: true,
  },
  {
    name: 'opencode',
    home: (directory, model) => writeOpenCodeHome(directory, model.url),
    sessions: openCodeKeptSessions,
    enter: null,
    end: ['C-d'],
    isBound: true,
  },
]

/** OpenCode is started four times, of which each takes some seconds of a whole processor. */
const LIMIT_MS = 800_000

const why = tmux === undefined ? 'there is no tmux' : whyUnconfined
test.skipIf(tmux === undefined || !canConfine).each(CASES)(
  `a session of $name goes from hand to hand${why === null ? '' : ` (skipped: ${why})`}`,
  async ({ name, home, sessions, enter, end, isBound }) => {
    const { bin } = await ensureAgent(name)
    const choose = byMarker({
      'BEGIN-THIS': [say('Begun by hand.')],
      'TAKE-OVER': [shell('echo taken > taken.txt'), say('Taken over.')],
      'MY-OWN-HAND': [shell('echo by hand > by-hand.txt; echo out > "$OUT"'), say('As you said.')],
      'AND-ON': [say('On it goes.')],
    })
    const model = await startScriptedModel({ choose })
    models.push(model)
    const house = new House({ HOLDFAST_TALK: 'dialogue' }, visibleParent())
    const begunAt = Date.now()
    Object.assign(house.environment, await home(join(house.scratch, 'agent'), model, house.repo), {
      PATH: `${dirname(bin)}:${house.environment.PATH}`,
      OUT: join(house.scratch, 'outside', 'out.txt'),
    })
    mkdirSync(join(house.scratch, 'outside'))

    const find = () => sessions.newestIn(house.repo, begunAt, house.environment)
    let session: string
    if (enter === null) {
      const options = { cwd: house.repo, env: house.environment } as const
      const begun = promisify(execFile)(bin, ['run', '--auto', 'BEGIN-THIS'], options)
      begun.child.stdin?.end()
      await begun
      session = await eventually('it is kept', find)
    } else {
      const byHand = startInTmux(house, house.repo, [bin])
      await enter(byHand)
      await byHand.say('BEGIN-THIS')
      await byHand.sees('Begun by hand.')
      session = await eventually('it is kept', find)
      if (!isBound) {
        const { code, stderr } = await house.run(['run', '-a', name, '--session', session, 'x'])
        expect([code, stderr]).toEqual([5, expect.stringMatching(/is open in process \d+/)])
      }
      await byHand.leave(...end)
    }

    const where = isBound ? ['--in-place'] : []
    const id = await house.submit([
      ...['-a', name, '--session', session, '--name', 'talk'],
      ...[...where, 'TAKE-OVER'],
    ])
    expect(await house.wait(id)).toMatchObject({
      state: 'succeeded',
      session,
      result: { answer: 'Taken over.', files: 1 },
    })

    const opened = startInTmux(house, house.repo, [process.execPath, entry, 'open', 'talk'])
    await opened.sees('Taken over.')
    await opened.say('MY-OWN-HAND')
    await opened.sees('As you said.')
    await opened.leave(...end)
    const second = (await house.task('talk')).id
    expect(await house.wait(second)).toMatchObject({
      name: 'talk.2',
      state: 'succeeded',
      session,
      follows: id,
      permissions: { asked: 'workspace', effective: 'workspace', enforcedBy: 'system' },
    })
    expect(await house.ok(['diff', 'talk'])).toContain('+by hand')
    expect(readdirSync(join(house.scratch, 'outside'))).toEqual([])

    const third = (await house.ok(['send', 'talk', 'AND-ON'])).trim()
    expect(await house.wait(third)).toMatchObject({ state: 'succeeded', session, follows: second })
    const last = heard(model).find(body => body.includes('AND-ON'))
    for (const words of ['BEGIN-THIS', 'TAKE-OVER', 'MY-OWN-HAND']) expect(last).toContain(words)
  },
  LIMIT_MS,
)
