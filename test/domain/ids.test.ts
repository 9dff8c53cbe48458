import { expect, test } from 'vitest'
import { agentEnvironment, workerEnvironment } from '../../src/domain/environment.ts'
import { makeTaskId, makeTaskName, parseCommitId, parseTaskId } from '../../src/domain/ids.ts'
import { parseShellStatus } from '../../src/domain/outcome.ts'

test('every task id that is made can be parsed, and begins with a letter', () => {
  for (let byte = 0; byte < 256; byte++) {
    const id = makeTaskId(new Uint8Array(16).fill(byte))
    expect(parseTaskId(id)).toBe(id)
  }
})

test('what is no id is not taken for one', () => {
  expect(parseTaskId('1abcdefghi')).toBeUndefined()
  expect(parseTaskId('abc')).toBeUndefined()
  expect(parseTaskId('../../etc/')).toBeUndefined()
  expect(parseCommitId('a'.repeat(40))).toBeDefined()
  expect(parseCommitId('a'.repeat(41))).toBeUndefined()
})

test.each([
  ['Fix the login!', 'fix-the-login'],
  ['  Überprüfe die Größe der Dateien, bitte sofort', 'uberprufe-die-große-der-dateien'],
  ['修正 ログイン', '修正-ログイン'],
  ['--help $(rm -rf /)', 'help-rm-rf'],
  ['!!!', 'codex-task'],
  ['a'.repeat(80), 'codex-task'],
  ['one two three four five six seven', 'one-two-three-four-five'],
])('the name of %j is %s', (prompt, name) => {
  expect(makeTaskName(prompt, 'codex-task')).toBe(name)
})

const claudeChoices = {
  ANTHROPIC_API_KEY: 'k',
  ANTHROPIC_BASE_URL: 'http://proxy',
  CLAUDE_CODE_API_KEY_HELPER_TTL_MS: '1000',
  CLAUDE_CODE_CLIENT_CERT: '/cert',
  CLAUDE_CODE_EFFORT_LEVEL: 'high',
  CLAUDE_CODE_MAX_RETRIES: '2',
  CLAUDE_CODE_OAUTH_REFRESH_TOKEN: 'mine',
  CLAUDE_CODE_OAUTH_TOKEN: 'mine',
  CLAUDE_CODE_SUBAGENT_MODEL: 'haiku',
  CLAUDE_CODE_USE_BEDROCK: '1',
  CLAUDE_CONFIG_DIR: '/c',
  CLAUDE_SECURESTORAGE_CONFIG_DIR: '/s',
}

test('an agent gets the caller’s variables, less those that say where the caller is', () => {
  const caller = {
    PATH: '/bin',
    OPENAI_API_KEY: 'k',
    CLAUDECODE: '1',
    CLAUDE_CODE_SESSION_ID: 's',
    CLAUDE_CODE_MESSAGING_TOKEN: 't',
    CLAUDE_CODE_MESSAGING_SOCKET: '/tmp/cc-socks/2.sock',
    CLAUDE_CODE_ENTRYPOINT: 'sdk-cli',
    CLAUDE_CODE_CHILD_SESSION: '1',
    CLAUDE_CODE_CHILD_NOTES_DIR: '/tmp/n',
    CLAUDE_CODE_EXECPATH: '/claude',
    CLAUDE_CODE_OAUTH_TOKEN_FILE_DESCRIPTOR: '7',
    CLAUDE_PID: '2',
    CLAUDE_EFFORT: 'high',
    ...claudeChoices,
    GIT_DIR: '/x',
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: 'core.worktree',
    GIT_CONFIG_VALUE_0: '/x',
    GIT_CONFIG_GLOBAL: '/mine',
    GIT_GRAFT_FILE: '/x',
    GIT_AUTHOR_NAME: 'me',
    HOLDFAST_ATTEMPT: 'a.1.x',
    HOLDFAST_HOME: '/h',
    OPENCLAW_CHANNEL_CONTEXT: '{"sender":{"id":"7"}}',
    PWD: '/gone',
    MISSING: undefined,
  }
  expect(agentEnvironment(caller)).toEqual({
    PATH: '/bin',
    OPENAI_API_KEY: 'k',
    ...claudeChoices,
    GIT_CONFIG_GLOBAL: '/mine',
    GIT_AUTHOR_NAME: 'me',
    HOLDFAST_HOME: '/h',
  })
})

test('the worker gets no secret and no mark', () => {
  const caller = { PATH: '/bin', OPENAI_API_KEY: 'k', HOLDFAST_ATTEMPT: 'a.1.x', LC_ALL: 'C' }
  expect(workerEnvironment(caller)).toEqual({ PATH: '/bin', LC_ALL: 'C' })
})

test.each([
  [0, { kind: 'exited', code: 0 }],
  [128, { kind: 'exited', code: 128 }],
  [130, { kind: 'signalled', signal: 2 }],
  [137, { kind: 'signalled', signal: 9 }],
  [192, { kind: 'signalled', signal: 64 }],
  [255, { kind: 'exited', code: 255 }],
])('a shell status of %i is read as it is meant', (status, exit) => {
  expect(parseShellStatus(status)).toEqual(exit)
})
