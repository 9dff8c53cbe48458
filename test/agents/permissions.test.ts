/**
 * The attacks of `confinement.test.ts` by the real Codex, which confines itself: what
 * `enforcedBy: agent` comes to. What it does not hold is shown here too, and stands in
 * `docs/concepts/permissions.md`.
 */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { say, shell } from '../../src/demo/scripted-model/script.ts'
import { denied, plantIn, TRY } from '../attacks.ts'
import type { House } from '../end-to-end/house.ts'
import { houseWithModel } from './house-with-model.ts'

/** Ends with 0 if the socket that it is given can be connected to. */
const CONNECT = `require('net').connect(process.argv[1], () => process.exit(0)).on('error', () => process.exit(1))`

/** A house with another task at work in it. */
async function makeHouse() {
  const environment = { HOLDFAST_SLOTS: '3' }
  const made = await houseWithModel([], { environment })
  made.house.write('.ssh/id_x', 'TOP SECRET\n', made.house.scratch)
  const other = await made.house.submitScript('exec sleep 300')
  await made.house.untilState(other, 'running')
  return { ...made, other }
}

/** What the agent's command printed, line by line. */
async function outputOf(house: House, id: string): Promise<readonly string[]> {
  const lines = (await house.ok(['logs', id, '--json', '-n', '1000'])).trim().split('\n')
  return lines
    .map(line => JSON.parse(line))
    .filter(({ kind }) => kind === 'command_ended')
    .flatMap(({ output }) => output.trim().split('\n'))
}

describe.each(['workspace', 'read-only'] as const)('Codex with %s permissions', mode => {
  test('writes where that says and nowhere else, and reaches no process outside', async () => {
    const { house, model, other } = await makeHouse()
    const worker = await house.workerPid()
    const places = {
      home: house.scratch,
      etc: '/etc',
      sibling: house.worktree(other),
      siblingRun: join(house.home, 'tasks', other),
      source: house.repo,
      state: house.home,
      common: join(house.repo, '.git'),
      hooks: join(house.repo, '.git/hooks'),
      refs: join(house.repo, '.git/refs/heads'),
      run: '/run',
    }
    const before = house.fingerprint()
    const socket = join(house.scratch, 'socket')
    const server = createServer(connection => connection.end()).listen(socket)
    await once(server, 'listening')
    const script = `${TRY}${plantIn(places)}
      try config sh -c "echo '[core]' >>'${house.repo}/.git/config'"
      try commit git commit --allow-empty --message mine
      try remove rm -rf '${house.repo}/kept.txt'
      try git-write write .git
      try git-remove rm -f .git
      try git-move mv .git old-git
      try signal kill -9 ${worker}
      try memory sh -c 'echo x >/proc/${worker}/mem'
      try environment cat /proc/${worker}/environ
      try namespace unshare --user --map-root-user true
      try network bash -c 'echo >/dev/tcp/127.0.0.1/${model.port}'
      try socket '${process.execPath}' -e "${CONNECT}" '${socket}'
      try inside write inside.txt`
    model.setTurns([shell(script), say('Tried.')])
    const id = await house.submit(['codex', 'try it', '--permissions', mode])
    expect(await house.wait(id)).toMatchObject({
      state: 'succeeded',
      permissions: { asked: mode, effective: mode, enforcedBy: 'agent' },
    })
    const tried = ['config', 'commit', 'remove', 'git-write', 'git-remove', 'git-move']
    const others = ['signal', 'memory', 'environment', 'namespace', 'network', 'socket']
    expect(await outputOf(house, id)).toEqual([
      ...denied(...Object.keys(places), ...tried, ...others),
      mode === 'workspace' ? 'inside DONE' : 'inside denied',
    ])
    for (const path of Object.values(places)) {
      expect([path, existsSync(join(path, 'planted'))]).toEqual([path, false])
    }
    expect(house.fingerprint()).toBe(before)
    expect(await house.workerPid()).toBe(worker)
    // Both can be reached, from outside.
    const reach = `echo >/dev/tcp/127.0.0.1/${model.port}; '${process.execPath}' -e "${CONNECT}" '${socket}'`
    execFileSync('bash', ['-ec', reach])
    server.close()
    await house.ok(['cancel', other])
  })

  test('reads whatever you can read, as the documentation says', async () => {
    const { house, model, other } = await makeHouse()
    const environment = join(house.home, 'tasks', other, 'environment.json')
    model.setTurns([shell(`cat ~/.ssh/id_x; grep -c PATH '${environment}'`), say('Read.')])
    const id = await house.submit(['codex', 'try it', '--permissions', mode])
    await house.wait(id)
    expect(await outputOf(house, id)).toEqual(['TOP SECRET', '1'])
    const page = join(import.meta.dirname, '../../docs/concepts/permissions.md')
    expect(readFileSync(page, 'utf8')).toContain('**Codex can read your keys')
    await house.ok(['cancel', other])
  })
})
