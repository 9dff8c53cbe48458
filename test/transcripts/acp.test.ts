/**
 * The agents' side of recorded dialogues: Gemini CLI 0.61.0, claude-agent-acp 0.49.0, codex-acp
 * 2.6.0, OpenCode 1.18.33. They were recorded with another client: the ids of its requests have been
 * changed into ours, and the answer to the session's mode, which it did not set, was put in.
 */
import { join } from 'node:path'
import { describe } from 'vitest'
import { makeAcpAgent } from '../../src/agents/acp/agent.ts'
import { presets } from '../../src/agents/acp/presets.ts'
import { exited, killed, testRecorded } from './recorded.ts'

const directory = join(import.meta.dirname, 'acp')

describe.each([
  ['gemini', { 'gemini-http500': { exit: killed }, 'gemini-cancel': { exit: killed } }],
  [
    'claude-acp',
    {
      'claude-agent-acp-success': { exit: killed },
      'claude-agent-acp-cancel': { exit: killed },
      'claude-agent-acp-load': { exit: exited(0) },
    },
  ],
  [
    'codex-acp',
    {
      'codex-acp-success': { exit: killed },
      'codex-acp-cancel': { exit: killed },
      'codex-acp-load': { exit: killed },
    },
  ],
  [
    'opencode-acp',
    {
      'opencode-success': { exit: killed },
      'opencode-cancel': { exit: killed },
      'opencode-load': { exit: exited(0) },
    },
  ],
] as const)('%s', (name, recorded) => {
  testRecorded(makeAcpAgent(presets[name]), directory, recorded)
})
