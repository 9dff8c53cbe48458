/** The machine goes down with all that runs on it, and comes up again. */
import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { readStat } from '../../src/process/linux/stat.ts'
import { views } from '../../src/surfaces/view.ts'
import { eventually } from '../eventually.ts'
import { houseWithCodex } from './fake-codex.ts'
import type { House } from './house.ts'

const ACP_AGENT = fileURLToPath(new URL('../fixtures/acp-agent.mjs', import.meta.url))

/** With the second key the account is used up, for some seconds at a time, until `reset` is there. */
const CODEX = `
begin
echo "$CODEX_API_KEY $resumed" >>"$HOME/ran"
if [ "$CODEX_API_KEY" = key-2 ] && [ ! -e "$HOME/reset" ]; then
  fail "You've hit your usage limit. Try again in 4 seconds."
fi
until [ -e "$HOME/go" ]; do sleep 0.05; done
finish "done, resumed: $resumed"
`

const script = (name: string) =>
  `echo ${name} >>"$HOME/ran"; until [ -e "$HOME/go" ]; do sleep 0.05; done; echo ${name} >ran.txt`

const ran = (house: House) => {
  const file = join(house.scratch, 'ran')
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []
}

/** All is killed at once, and what was written down is of a boot that is over. */
async function goDown(house: House, bystander: number): Promise<void> {
  await eventually('nothing runs any more', () => {
    const pids = house.processes().map(line => Number.parseInt(line, 10))
    const own = pids.filter(pid => pid !== bystander)
    for (const pid of own) spawnSync('/bin/kill', ['-9', `${pid}`])
    return own.length === 0
  })
  const ofOldBoot = (file: string, change: (record: Record<string, unknown>) => object) => {
    writeFileSync(file, JSON.stringify(change(JSON.parse(readFileSync(file, 'utf8')))))
  }
  ofOldBoot(join(house.home, 'worker.json'), ({ identity, ...card }) => ({
    ...card,
    identity: { ...(identity as object), boot: 'before' },
  }))
  const stat = readStat(bystander)
  for (const id of readdirSync(join(house.home, 'tasks'))) {
    const run = house.runDirectory(id)
    if (!existsSync(join(run, 'launch.json'))) continue
    ofOldBoot(join(run, 'launch.json'), record => ({ ...record, boot: 'before' }))
    // The pids are given out anew: somebody else has them now.
    for (const name of ['pid', 'wrapper']) {
      writeFileSync(join(run, name), `${stat?.pid} ${stat?.startTime}\n`)
    }
  }
}

/** As cron does: a shell with hardly a variable. */
async function comeUp(house: House): Promise<void> {
  const line = await house.ok(['worker', 'install', '--method', 'cron', '--print'])
  const command = line.replace(/^@reboot /, '').replaceAll('\\%', '%')
  const { status } = spawnSync('/bin/sh', ['-c', command], {
    cwd: '/',
    env: { HOME: house.scratch, HOLDFAST_SLOTS: '4' },
  })
  expect(status).toBe(0)
}

test('after a reboot tasks of every kind go on, none of them twice', async () => {
  const house = houseWithCodex(CODEX, { HOLDFAST_SLOTS: '4', GEMINI_API_KEY: 'k' })
  copyFileSync(ACP_AGENT, join(house.scratch, 'fake-bin', 'gemini'))
  chmodSync(join(house.scratch, 'fake-bin', 'gemini'), 0o755)
  const bystander = spawn('/bin/sleep', ['600'], { stdio: 'ignore' })
  try {
    const other = { environment: { CODEX_API_KEY: 'key-2' } }
    const parked = await house.submit(['codex', 'when it may'], other)
    await house.untilState(parked, 'waiting')
    const running = await house.submit(['codex', 'go on'])
    const again = await house.submitScript(script('again'), '--retry-on-crash')
    const once = await house.submitScript(script('once'))
    const asks = ['gemini', 'do this: [ask rm -rf build]', '--permissions', 'full', '--ask']
    const asking = await house.submit(asks)
    await house.untilState(asking, 'needs_input')
    await eventually('all of them run', () => {
      const lines = ran(house)
      return ['key-1 no', 'again', 'once'].every(line => lines.includes(line))
    })
    const after = await house.submitScript(script('after'), '--after', running)
    const queued = await house.submitScript(script('queued'))

    await goDown(house, bystander.pid ?? 0)
    for (const name of ['go', 'reset']) house.write(name, '', house.scratch)
    await comeUp(house)

    await eventually('it asks again', async () => {
      const task = await house.task(asking)
      return task.attempt === 2 && task.state === 'needs_input'
    })
    await house.ok(['answer', asking, 'yes'])
    const ends = [
      [parked, { state: 'succeeded', result: { answer: 'done, resumed: yes' } }],
      [running, { state: 'succeeded', attempt: 2, result: { answer: 'done, resumed: yes' } }],
      [again, { state: 'succeeded', attempt: 2, result: { files: 1 } }],
      // What a program has done already, nobody knows: it is said, and not done again.
      [once, { state: 'failed', attempt: 1, error: { code: 'exit_unknown' } }],
      [asking, { state: 'succeeded', attempt: 2 }],
      [after, { state: 'succeeded', attempt: 1 }],
      [queued, { state: 'succeeded', attempt: 1 }],
    ] as const
    for (const [id, end] of ends) expect(await house.wait(id)).toMatchObject(end)
    const lines = ran(house).filter(line => !line.startsWith('key-2'))
    expect(lines.toSorted()).toEqual(
      ['key-1 no', 'key-1 yes', 'again', 'again', 'once', 'after', 'queued'].toSorted(),
    )
    expect(bystander.exitCode ?? bystander.signalCode).toBeNull()
  } finally {
    bystander.kill('SIGKILL')
  }
})

test('what starts with the machine is installed, looked after, and goes with the rest', async () => {
  const house = houseWithCodex('finish done')
  const unit = join(house.scratch, '.config/systemd/user')
  const printed = await house.ok(['worker', 'install', '--method', 'systemd', '--print'])
  expect([existsSync(unit), existsSync(house.home)]).toEqual([false, false])
  const installed = await house.run(['worker', 'install', '--method', 'systemd', '--json'])
  expect(installed.code).toBe(0)
  const { where, text } = views.boot.parse(JSON.parse(installed.stdout))
  if (where === null) throw new Error('it does not say where')
  expect([readFileSync(where, 'utf8'), text]).toEqual([printed, printed])
  const boot = async (...words: string[]) => {
    const { findings } = JSON.parse((await house.run(['doctor', '--json', ...words])).stdout)
    return findings.find(({ check }: { check: string }) => check === 'boot')
  }
  expect(await boot()).toMatchObject({ status: 'ok', repair: null })
  writeFileSync(where, printed.replaceAll(process.execPath, '/nowhere/node'))
  expect(await boot()).toMatchObject({
    status: 'warning',
    message: `${where}: it names /nowhere/node, which is not there`,
  })
  expect(await boot('--fix')).toMatchObject({ repair: { state: 'done' } })
  expect(readFileSync(where, 'utf8')).toBe(printed)

  expect(await house.ok(['worker', 'uninstall'])).toBe(`removed: ${where}\n`)
  expect(await house.run(['worker', 'uninstall'])).toMatchObject({ code: 0, stdout: '' })
  await house.ok(['worker', 'install', '--method', 'systemd'])
  expect(await house.ok(['uninstall', '--purge'])).toContain(`the start at boot, in ${where}`)
  expect(readdirSync(unit)).toEqual(['default.target.wants'])

  expect(await house.run(['worker', 'install', '--method', 'init'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('systemd, launchd, cron'),
  })
  const bare = { environment: { PATH: dirnameOf(house) } }
  const { code, stderr } = await house.run(['worker', 'install'], bare)
  if (!existsSync('/run/systemd/system')) {
    expect({ code, stderr }).toMatchObject({ code: 5, stderr: expect.stringContaining('neither') })
  }
})

/** A directory without any program. */
function dirnameOf(house: House): string {
  const directory = join(house.scratch, 'empty')
  mkdirSync(directory)
  return directory
}
