/** What every agent in `src/agents/index.ts` must hold to, whatever its program says. */
import { describe, expect, it } from 'vitest'
import { agents, promptAgents } from '../../src/agents/index.ts'
import { findLastWords } from '../../src/agents/last-words.ts'
import { asSessionId } from '../../src/domain/ids.ts'
import type { AgentExit } from '../../src/domain/outcome.ts'
import { permissionModes } from '../../src/domain/permissions.ts'
import type { AgentLaunch, LaunchRequest, Translation } from '../../src/ports/agent.ts'

const GARBAGE = [
  '',
  ' ',
  '\r',
  '\0',
  '\ufffd\ufffd',
  '\u001b[31mred\u001b[0m',
  'null',
  '17',
  '"text"',
  '[]',
  '{}',
  '{"type":null}',
  '{"type":{"type":"x"}}',
  '{"type":"__proto__"}',
  '{"__proto__":{"type":"turn.completed"}}',
  '{"type":"item.completed"}',
  '{"type":"item.completed","item":null}',
  '{"type":"item.completed","item":{"type":7}}',
  '{"type":"turn.failed"}',
  '{"type":"result","is_error":"maybe"}',
  '{"type":"thread.started","thread_id":{}}',
  '['.repeat(100_000),
  '{"a":'.repeat(100_000),
]

const EXITS: readonly AgentExit[] = [
  ...[0, 1, 2, 101, 126, 127, 255].map(code => ({ kind: 'exited', code }) as const),
  ...[1, 2, 9, 15].map(signal => ({ kind: 'signalled', signal }) as const),
  { kind: 'unknown' },
]

const STDERRS = ['', '\n\n', 'Error: no rollout found for thread id x\n', '\ufffd'.repeat(1_000)]

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const part of Object.values(value)) freeze(part)
    Object.freeze(value)
  }
  return value
}

it('those that take a prompt are listed as such, and no others', async () => {
  for (const [name, load] of Object.entries(agents)) {
    const { takesPrompt } = (await load()).capabilities
    expect([name, takesPrompt]).toEqual([name, Object.keys(promptAgents).includes(name)])
  }
})

for (const [name, load] of Object.entries(agents)) {
  describe(`the agent ${name}`, async () => {
    const agent = await load()
    const prompt = Buffer.from('Fix “it”, $HOME `x` \\ -- --json\n\ud83d\ude80 \n\n')
    const request: LaunchRequest = {
      installation: {
        program: '/opt/agent/bin/agent',
        leadingArguments: [],
        version: agent.testedVersion ?? '1.2.3',
        environment: { ADDED: 'yes', SHARED: 'installation' },
      },
      mode: { kind: 'fresh', sessionToBe: '0f6f3e2a-9d8c-4a7b-8c1d-5e4f3a2b1c0d' },
      prompt: agent.capabilities.takesPrompt ? prompt : new Uint8Array(),
      argv: agent.capabilities.takesPrompt ? [] : ['agent', 'one', 'two words'],
      model: null,
      effort: null,
      permissions: { asked: 'full', effective: 'full', enforcedBy: 'none' },
      asks: false,
      handOver: null,
      worktree: '/some trees/a',
      workingDirectory: '/some trees/a/sub',
      environment: { PATH: '/usr/bin', KEPT: 'yes', SHARED: 'caller' },
    }
    const resume: LaunchRequest = {
      ...request,
      mode: { kind: 'resume', session: asSessionId('session-1'), why: 'killed\nby signal 9' },
    }

    it('bears the name that it is listed under', () => {
      expect(agent.name).toBe(name)
    })

    /** How it can be told its prompt: in a dialogue, alone, or in either way. */
    const { dialogue } = agent
    const isOneShot = dialogue === undefined || agent.capabilities.oneShot === true
    const alone = (asked: LaunchRequest): LaunchRequest =>
      dialogue === undefined ? asked : { ...asked, oneShot: true }
    const ways = [...(dialogue ? [request] : []), ...(isOneShot ? [alone(request)] : [])]

    it('tells whom it takes over from another agent what that one did', () => {
      if (!agent.capabilities.takesPrompt) return
      for (const way of ways) {
        const { stdin, brief = '' } = agent.planLaunch({ ...way, handOver: '\n\nIt did this.' })
        expect(Buffer.from(stdin).toString() + brief).toContain('It did this.')
      }
    })

    it('is told with the rest what was said to it meanwhile, each whole and in order', () => {
      if (agent.capabilities.continues !== 'session') return
      const messages = ['first “one”', 'second\n/with $(things)']
      const goesOn = { ...resume.mode, why: null } as const
      for (const way of ways) {
        for (const mode of [request.mode, resume.mode, goesOn]) {
          const { stdin, brief = '' } = agent.planLaunch({ ...way, mode, messages })
          const said = Buffer.from(stdin).toString() + brief.replaceAll('\\n', '\n')
          expect(said).toContain(messages.join('\n\n'))
        }
      }
    })

    it('says nothing that contradicts itself about what it can do', () => {
      const { continues, takesPrompt } = agent.capabilities
      if (continues === 'session') expect(takesPrompt).toBe(true)
      expect(agent.translator.initial).toMatchObject({
        session: null,
        answer: null,
        usage: null,
        turn: null,
      })
    })

    it('throws on no line, changes no state that it was given, and always answers alike', () => {
      let state: Translation = freeze(agent.translator.initial)
      for (const line of GARBAGE) {
        const first = agent.translator.translate(state, line)
        const second = agent.translator.translate(JSON.parse(JSON.stringify(state)), line)
        expect(second).toEqual(first)
        expect(JSON.parse(JSON.stringify(first))).toEqual(first)
        state = freeze(first.state)
      }
    })

    it('takes no garbage for a success', () => {
      for (const line of GARBAGE) {
        const { state } = agent.translator.translate(agent.translator.initial, line)
        expect(state.turn?.ok ?? false).toBe(false)
      }
    })

    it('keeps its state small, and its time linear, over much output', () => {
      let state = agent.translator.initial
      for (let i = 0; i < 50_000; i++) {
        state = agent.translator.translate(state, `line ${i} ${'x'.repeat(100)}`).state
      }
      expect(JSON.stringify(state).length).toBeLessThan(256 * 1024)
    })

    it('judges every exit, as one outcome and always the same', () => {
      const { initial } = agent.translator
      const translations: Translation[] = [
        initial,
        { ...initial, turn: { ok: true }, answer: 'Done.' },
        { ...initial, turn: { ok: false, message: 'no' }, session: asSessionId('s') },
      ]
      for (const translation of translations) {
        for (const exit of EXITS) {
          for (const stderr of STDERRS) {
            const ending = { exit, stderr, saidAt: 1_795_900_000_000, timeZone: 'UTC' }
            const outcome = agent.judge(freeze(translation), ending)
            expect(['succeeded', 'failed', 'interrupted', 'limited']).toContain(outcome.kind)
            if ('failure' in outcome) expect(outcome.failure.message).not.toBe('')
            expect(agent.judge(translation, ending)).toEqual(outcome)
          }
        }
      }
    })

    it('never takes a death by signal, or an end that nobody saw, for a proof', () => {
      for (const exit of EXITS.filter(({ kind }) => kind !== 'exited')) {
        const ending = { exit, stderr: '', saidAt: 0, timeZone: 'UTC' }
        expect(agent.judge(agent.translator.initial, ending).kind).not.toBe('succeeded')
      }
    })

    it.each(permissionModes)('is launched by absolute path, with %s permissions', effective => {
      const permissions = { asked: effective, effective, enforcedBy: 'agent' } as const
      for (const one of [request, resume, ...ways]) {
        const { argv, environment } = agent.planLaunch({ ...one, permissions })
        expect(argv[0]).toBe('/opt/agent/bin/agent')
        expect(environment).toMatchObject({ PATH: '/usr/bin', KEPT: 'yes', ADDED: 'yes' })
        expect(environment.SHARED).toBe('installation')
      }
    })

    it('finds nothing on an empty PATH, and says so', async () => {
      const finding = agent.findInstallation({ PATH: '' }, ['no-such-program'], '/')
      await expect(finding).rejects.toMatchObject({ code: 'agent_missing' })
    })

    const takesAtOnce = agent.capabilities.takesPrompt && isOneShot
    it.runIf(takesAtOnce)('gets the prompt byte for byte, by stdin', () => {
      const { argv, stdin, brief } = agent.planLaunch(alone(request))
      expect(brief).toBeUndefined()
      expect(Buffer.from(stdin).subarray(-prompt.length)).toEqual(prompt)
      expect(argv.join(' ')).not.toContain('Fix')
    })

    it.runIf(!agent.capabilities.takesPrompt)('gets its argv as it was given', () => {
      const { argv, stdin } = agent.planLaunch(request)
      expect(argv.slice(1)).toEqual(['one', 'two words'])
      expect(stdin).toHaveLength(0)
    })

    const goesOn = agent.capabilities.continues === 'session' && isOneShot
    it.runIf(goesOn)('is told to go on in its session', () => {
      const { argv, stdin } = agent.planLaunch(alone(resume))
      expect(argv).toContain('session-1')
      const words = Buffer.from(stdin).toString()
      expect(words).toContain('killed by signal 9')
      expect(words).not.toContain('Fix')
      expect(agent.planLaunch(alone(request)).argv).not.toContain('session-1')
    })

    it.runIf(goesOn)('is told a new prompt in a session that goes on, and what stopped it', () => {
      const told = (why: string | null) => {
        const mode = { kind: 'resume', session: asSessionId('session-1'), why, saysPrompt: true }
        const { argv, stdin } = agent.planLaunch(alone({ ...request, mode } as LaunchRequest))
        expect(argv).toContain('session-1')
        expect(Buffer.from(stdin).subarray(-prompt.length)).toEqual(prompt)
        return Buffer.from(stdin).toString()
      }
      expect(told(null)).not.toContain('interrupted')
      expect(told('killed')).toContain('interrupted (killed)')
    })

    it.runIf(dialogue !== undefined)(
      'is told everything in the dialogue, and nothing before',
      () => {
        for (const one of [request, resume]) {
          const { argv, stdin, brief } = agent.planLaunch(one)
          expect(stdin).toHaveLength(0)
          expect(argv.join(' ')).not.toContain('Fix')
          const wishes = { answers: new Map(), messages: [], interrupt: false }
          const [first, ...more] =
            dialogue?.speak(agent.translator.initial, brief ?? '', new Set(), wishes) ?? []
          expect(more).toEqual([])
          expect(first?.line).not.toContain('\n')
          expect(dialogue?.keyOf(first?.line ?? '')).toBe(first?.key)
          expect(dialogue?.keyOf((first?.line ?? '').slice(0, -5))).toBeUndefined()
          const said = new Set([first?.key ?? ''])
          expect(dialogue?.speak(agent.translator.initial, brief ?? '', said, wishes)).toEqual([])
        }
        const [fresh, resumed] = [request, resume].map(one => agent.planLaunch(one))
        expect(fresh?.brief).toContain(JSON.stringify(prompt.toString()).slice(1, -1))
        expect(resumed?.brief).toContain('killed by signal 9')
        const named = (launch: AgentLaunch | undefined) =>
          JSON.stringify([launch?.argv, launch?.brief])
        expect(named(resumed)).toContain('session-1')
        expect(named(fresh)).not.toContain('session-1')
      },
    )

    it.runIf(dialogue !== undefined)(
      'says nothing in return to garbage, and nothing at all after a turn that failed',
      () => {
        const brief = agent.planLaunch(request).brief ?? ''
        const [message, more] = [1, 2].map(number => ({
          ...{ number, text: 'more', sentAt: 1, launchedWith: null, heardAt: null },
        }))
        const messages = [message, more].flatMap(one => one ?? [])
        const wishes = { answers: new Map([['1', 'yes']]), messages, interrupt: false }
        let state = agent.translator.initial
        const due = (known: Translation) =>
          dialogue?.speak(known, brief, new Set(), wishes).map(({ key }) => key)
        const first = due(state)
        for (const line of GARBAGE) {
          state = agent.translator.translate(state, line).state
          if (state.turn === null) expect(due(state)).toEqual(first)
        }
        const failed: Translation = {
          ...agent.translator.initial,
          turn: { ok: false, message: 'x' },
        }
        expect(due(failed)).toEqual([])
      },
    )
  })
}

it('of what an agent wrote as it died, the error is told, and no line of the backtrace after it', () => {
  const stderr = 'noise\nIt went wrong:Error: EBUSY\n    at async main (file:///x.js:1:1)\n'
  expect(findLastWords(stderr)).toBe('It went wrong:Error: EBUSY')
  expect(findLastWords('Error: one\nbacktrace\n')).toBe('Error: one')
  const ofNode = 'x.js:1\nTypeError: boom\n    at <anonymous>\n    at x.js:1:7\n\nNode.js v24.1.0\n'
  expect(findLastWords(ofNode)).toBe('TypeError: boom')
  expect(findLastWords('at capacity, try later\n   0: std::panic\n')).toBe('at capacity, try later')
  expect(findLastWords('   at x\n')).toBe('at x')
})
