/**
 * Attacks on the system's confinement, by programs that the built Holdfast runs: what an agent may
 * not do, it cannot do, in any attempt; and nothing that it leaves behind is run by us.
 */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { TaskView } from '../../src/surfaces/view.ts'
import { denied, plantIn, TRY } from '../attacks.ts'
import { canConfine, confinedTest, visibleParent } from '../confined.ts'
import { eventually } from '../eventually.ts'
import { House } from './house.ts'

/** A house outside of `/tmp`, with secrets in its home. */
function makeHouse(environment: Readonly<Record<string, string>> = {}): House {
  const house = new House(environment, visibleParent())
  house.write('.ssh/id_x', 'TOP SECRET\n', house.scratch)
  house.write('.npmrc', '//registry/:_authToken=TOP SECRET\n', house.scratch)
  house.write('.bash_history', 'export KEY=TOP SECRET\n', house.scratch)
  return house
}

/** Runs a script as an agent, as any user would: the mode is the default one unless it is given. */
async function runConfined(house: House, script: string, ...flags: string[]): Promise<TaskView> {
  const mode = flags.includes('--permissions') ? [] : ['--permissions', 'workspace']
  const id = await house.submitScript(`${TRY}${script}`, ...mode, ...flags)
  return await house.wait(id)
}

const answerOf = (task: TaskView) => task.result?.answer?.split('\n') ?? []

/** So that one task can look at another while it runs. */
const SLOTS = { HOLDFAST_SLOTS: '3' }

describe('a program with workspace permissions', () => {
  confinedTest('is one that nobody gave any others, and it is shown who holds it', async () => {
    const house = makeHouse()
    // By hand: the harness of the other tests would ask for full permissions.
    const entry = join(import.meta.dirname, '../../bin/holdfast.cjs')
    const words = [entry, 'run', 'command', '--json', '--', 'sh', '-c', 'echo work >made.txt']
    const options = { cwd: house.repo, env: house.environment, encoding: 'utf8' } as const
    const handedIn: TaskView = JSON.parse(execFileSync(process.execPath, words, options))
    const permissions = { asked: 'workspace', effective: 'workspace', enforcedBy: 'system' }
    expect(handedIn.permissions).toEqual(permissions)
    expect(await house.wait(handedIn.id)).toMatchObject({ state: 'succeeded', permissions })
    expect(await house.ok(['status', handedIn.id])).toContain('workspace, enforced by the system')
    expect(await house.ok(['diff', handedIn.id])).toContain('+work')
  })

  confinedTest(
    'works in its worktree, with git to look and a place for what is temporary',
    async () => {
      const house = makeHouse({ TMPDIR: '/elsewhere' })
      const task = await runConfined(
        house,
        `echo more >>kept.txt
      mkdir -p deep/er && mv kept.txt deep/er/ && cp deep/er/kept.txt kept.txt
      git status --short; git log --oneline | wc -l; git diff --stat | tail -1
      f=$(mktemp) && echo "$f"; touch /tmp/b /var/tmp/c && ls /tmp; test "$HOME" = "${house.scratch}" && echo home`,
      )
      expect(task.state).toBe('succeeded')
      const answer = answerOf(task)
      expect(answer).toEqual(
        expect.arrayContaining([' M kept.txt', '?? deep/', '1', 'b', 'c', 'home']),
      )
      expect(answer.find(line => line.startsWith('/tmp/tmp.'))).toBeDefined()
      expect(await house.ok(['diff', task.id])).toMatch(/\+\+\+ b\/deep\/er\/kept.txt/)
      // It goes with the task.
      await house.untilForgotten(task.id)
      expect(readdirSync(join(house.home, 'tasks', task.id))).not.toContain('scratch')
    },
  )

  confinedTest('cannot commit, and is told so', async () => {
    const house = makeHouse()
    const before = house.fingerprint()
    const task = await runConfined(
      house,
      `echo x >x; git add x; git commit -m mine; git update-ref refs/heads/mine HEAD; git stash
      git tag mine; git config user.name evil; git worktree prune; exit 0`,
    )
    expect(task.state).toBe('succeeded')
    expect(readFileSync(join(house.runDirectory(task.id), 'stderr'), 'utf8')).toMatch(
      /index\.lock': Read-only file system/,
    )
    expect(house.fingerprint()).toBe(before)
    // What it did is collected all the same.
    expect(await house.ok(['diff', task.id])).toContain('+x')
  })

  confinedTest('writes nowhere else', async () => {
    const house = makeHouse()
    const sibling = await house.submitScript('true', '--permissions', 'full')
    await house.wait(sibling)
    const victims = {
      home: house.scratch,
      etc: '/etc',
      usr: '/usr/local/bin',
      sibling: house.worktree(sibling),
      siblingRun: join(house.home, 'tasks', sibling),
      source: house.repo,
      state: house.home,
      worktrees: join(house.home, 'worktrees'),
      common: join(house.repo, '.git'),
      hooks: join(house.repo, '.git/hooks'),
      refs: join(house.repo, '.git/refs/heads'),
      objects: join(house.repo, '.git/objects'),
      run: '/run',
      sys: '/proc/sys/kernel',
    }
    const before = house.fingerprint()
    const config = readFileSync(join(house.repo, '.git/config'), 'utf8')
    const task = await runConfined(
      house,
      `${plantIn(victims)}
      try config sh -c "echo '[core]' >>'${house.repo}/.git/config'"
      try registration write '${house.repo}/.git/worktrees/'$(basename "$PWD")/HEAD
      try chmod chmod 777 '${house.scratch}'
      try remove rm -rf '${house.repo}/kept.txt'
      try link ln -s /etc/passwd '${house.scratch}/planted'
      try hardlink ln '${house.repo}/kept.txt' linked
      try remount mount -o remount,rw /
      try namespace unshare --user true
      try sudo unshare --mount true`,
    )
    expect(answerOf(task)).toEqual(
      denied(
        ...Object.keys(victims),
        ...['config', 'registration', 'chmod', 'remove', 'link', 'hardlink', 'remount'],
        ...['namespace', 'sudo'],
      ),
    )
    for (const path of Object.values(victims)) {
      expect([path, existsSync(join(path, 'planted'))]).toEqual([path, false])
    }
    expect(house.fingerprint()).toBe(before)
    expect(readFileSync(join(house.repo, '.git/config'), 'utf8')).toBe(config)
  })

  confinedTest('reads no secrets, and nothing of other tasks', async () => {
    const house = makeHouse({ ...SLOTS, MY_TOKEN: 'of the environment' })
    house.environment.KUBECONFIG = join(house.scratch, 'elsewhere/kube')
    house.write('elsewhere/kube', 'TOP SECRET\n', house.scratch)
    house.write('plain.txt', 'no secret\n', house.scratch)
    house.environment.SSH_AUTH_SOCK = join(house.scratch, 'agent')
    const sockets = [house.environment.SSH_AUTH_SOCK, join(house.scratch, '.docker/docker.sock')]
    mkdirSync(join(house.scratch, '.docker'))
    const servers = sockets.map(path => createServer().listen(path))
    const other = await house.submitScript('exec sleep 300', '--permissions', 'full')
    await house.untilState(other, 'running')
    const tasks = join(house.home, 'tasks')
    const task = await runConfined(
      house,
      `cat ~/.ssh/id_x ~/.npmrc ~/.bash_history "$KUBECONFIG" '${tasks}/${other}/environment.json'
      cat '${house.home}/store.db' | head -c 100; find ~/.ssh '${house.home}' -type f | grep -v "^$PWD/"
      cat /proc/*/environ | tr '\\0' '\\n' | grep MY_TOKEN | sort -u
      test -S "$SSH_AUTH_SOCK" && echo a key agent; test -S ~/.docker/docker.sock && echo a daemon
      cat ~/plain.txt; test -r ~/.npmrc && echo npmrc can be opened; ls '${house.home}' '${house.home}/worktrees'`,
    )
    expect(task.state).toBe('succeeded')
    const { id } = task
    // Its own environment is its own.
    const own = ['MY_TOKEN=of the environment', 'no secret', 'npmrc can be opened']
    expect(answerOf(task)).toEqual([
      ...own,
      `${house.home}:`,
      'worktrees',
      '',
      `${house.home}/worktrees:`,
      id,
    ])
    for (const server of servers) server.close()
    await house.ok(['cancel', other])
  })

  confinedTest('neither signals, traces nor sees a process outside', async () => {
    const house = makeHouse(SLOTS)
    const other = await house.submitScript('exec sleep 300', '--permissions', 'full')
    await house.untilState(other, 'running')
    const worker = await house.workerPid()
    const victims = { worker, watchdog: parentOf(worker), agent: house.pid(other) }
    const task = await runConfined(
      house,
      `${Object.entries(victims)
        .map(
          ([name, pid]) => `try ${name}-signal kill -9 ${pid}
          try ${name}-memory sh -c 'echo x >/proc/${pid}/mem'
          try ${name}-environment cat /proc/${pid}/environ
          try ${name}-root ls /proc/${pid}/root/
          try ${name}-descriptors ls /proc/${pid}/fd/`,
        )
        .join('\n')}
      echo $(ls /proc | grep -c '^[0-9]')`,
    )
    const ways = ['signal', 'memory', 'environment', 'root', 'descriptors']
    const tried = Object.keys(victims).flatMap(name => ways.map(way => `${name}-${way}`))
    const answer = answerOf(task)
    expect(answer.slice(0, -1)).toEqual(denied(...tried))
    // Those of the confinement, the script and its tools, and none besides.
    expect(Number(answer.at(-1))).toBeLessThan(10)
    expect(await house.workerPid()).toBe(worker)
    expect((await house.task(other)).state).toBe('running')
    await house.ok(['cancel', other])
  })

  confinedTest('can neither rewrite nor move nor replace the .git of its worktree', async () => {
    const house = makeHouse()
    const payload = join(house.scratch, 'payload-ran')
    const task = await runConfined(
      house,
      `try write sh -c 'echo "gitdir: /nowhere" >.git'
      try remove rm -f .git
      try rename mv .git old-git
      try over mv kept.txt .git
      try init git init
      try top mv "$PWD" "$PWD-moved"
      mkdir evil; git init -q evil; git -C evil config core.fsmonitor 'touch ${payload}'`,
    )
    // \`git init\` of what is there says that it did nothing.
    expect(answerOf(task).filter(line => !line.startsWith('init'))).toEqual(
      denied('write', 'remove', 'rename', 'over', 'top'),
    )
    expect(task.state).toBe('succeeded')
    expect(existsSync(payload)).toBe(false)
  })

  confinedTest('is confined in the attempt after a crash too', async () => {
    const house = makeHouse()
    const id = await house.submitScript(
      `${TRY}try home write ~/planted; try git write .git; cat ~/.ssh/id_x
      if [ -e second ]; then touch "/tmp/$(cat /tmp/first)-seen"; ls /tmp; exit 0; fi
      touch second; echo first >/tmp/first; echo ready; exec sleep 300`,
      ...['--permissions', 'workspace', '--retry-on-crash'],
    )
    await eventually('the first try is ready', async () =>
      (await house.ok(['logs', id])).includes('ready'),
    )
    process.kill(house.pid(id), 'SIGKILL')
    const task = await house.wait(id)
    expect(task).toMatchObject({ state: 'succeeded', attempt: 2 })
    expect(task.permissions.enforcedBy).toBe('system')
    // What the first try left in its temporary directory is still there.
    expect(answerOf(task)).toEqual([...denied('home', 'git'), 'first', 'first-seen'])
    expect(existsSync(join(house.scratch, 'planted'))).toBe(false)
    const again: TaskView = JSON.parse(await house.ok(['retry', id, '--json']))
    expect(again.permissions).toEqual(task.permissions)
    await house.ok(['cancel', again.id])
  })

  confinedTest(
    'leaves nobody behind when it is cancelled, nor when anybody is killed',
    async () => {
      const house = makeHouse()
      const script = `trap 'echo told >told.txt; exit 5' INT
      (setsid sh -c 'cd /; (setsid env -i sleep 299 &); exec sleep 298' &)
      (cd /tmp && exec env -i setsid sleep 297) &
      touch under-way; while :; do sleep 0.05; done`
      const start = async () => {
        const id = await house.submitScript(script, '--permissions', 'workspace')
        await house.underWay(id)
        return id
      }
      const tools = () => house.processes().filter(line => /sleep 29[789]|bwrap/.test(line))
      const cancelled = await start()
      await eventually('all of its tools are there', () => tools().length >= 5)
      await house.ok(['cancel', cancelled])
      expect(tools()).toEqual([])
      // It was asked in order first.
      expect(await house.ok(['diff', cancelled])).toContain('+told')

      for (const who of ['wrapper', 'pid'] as const) {
        const id = await start()
        process.kill(await house.workerPid(), 'SIGKILL')
        process.kill(house.pid(id, who), 'SIGKILL')
        if (who === 'pid') {
          expect(await house.wait(id)).toMatchObject({ state: 'failed' })
        } else {
          // Its holder is gone, and it goes on.
          await eventually('a worker has taken it up', async () => {
            const { state } = await house.task(id)
            return state === 'running' && (await house.workerPid().catch(() => undefined))
          })
          await house.ok(['cancel', id])
        }
        expect(tools()).toEqual([])
      }
    },
  )
})

confinedTest(
  'Holdfast itself is told inside that it is in a sandbox, and makes nothing',
  async () => {
    const house = makeHouse()
    // Where it is seen from inside, wherever this checkout lies.
    const own = join(house.scratch, 'own')
    const root = join(import.meta.dirname, '../..')
    for (const part of ['bin', 'dist'])
      cpSync(join(root, part), join(own, part), { recursive: true })
    copyFileSync(process.execPath, join(own, 'node'))
    const holdfast = `'${own}/node' '${own}/bin/holdfast.cjs'`
    const commands = [
      'run --permissions full command -- true',
      'status',
      'worker start',
      'worker run',
    ]
    const script = commands.map(words => `${holdfast} ${words} 2>&1; echo "exit $?"`).join('\n')
    const task = await runConfined(house, script)
    const answer = answerOf(task)
    expect(answer.filter(line => line.startsWith('exit'))).toEqual(Array(4).fill('exit 7'))
    expect(answer.filter(line => line.includes('this runs in a sandbox of bwrap'))).toHaveLength(4)
    const { tasks } = JSON.parse(await house.ok(['status', '--all', '--json']))
    expect(tasks).toHaveLength(1)
  },
)

confinedTest('a program with read-only permissions changes nothing at all', async () => {
  const house = makeHouse()
  const task = await runConfined(
    house,
    `try worktree write new.txt; try edit write kept.txt; try home write ~/planted
    try git write .git; try source write '${house.repo}/planted'; cat ~/.ssh/id_x
    cat kept.txt | head -1; touch /tmp/notes && echo notes`,
    ...['--permissions', 'read-only'],
  )
  expect(task).toMatchObject({
    state: 'succeeded',
    permissions: { asked: 'read-only', effective: 'read-only', enforcedBy: 'system' },
    result: { files: 0 },
  })
  expect(answerOf(task)).toEqual([
    ...denied('worktree', 'edit', 'home', 'git', 'source'),
    'one',
    'notes',
  ])
})

confinedTest(
  'a home directory that is a repository, lent in place, keeps its secrets',
  async () => {
    const house = makeHouse()
    house.gitIn(house.scratch, 'init', '--quiet')
    house.write('.gitignore', '*\n', house.scratch)
    house.gitIn(house.scratch, 'add', '--force', '.gitignore')
    house.gitIn(house.scratch, 'commit', '--quiet', '--message=home')
    const script = `${TRY}cat .ssh/id_x .npmrc; try key write .ssh/id_x; try token write .npmrc
    try away mv .ssh elsewhere; try state write home/planted; ls home; echo new >made.txt`
    const words = ['--permissions', 'workspace', '--in-place', '--', '/bin/sh', '-c', script]
    const id = await house.submit(['command', ...words], { directory: house.scratch })
    const task = await house.wait(id)
    expect(answerOf(task)).toEqual(denied('key', 'token', 'away', 'state'))
    expect(readFileSync(join(house.scratch, 'made.txt'), 'utf8')).toBe('new\n')
  },
)

confinedTest('a checkout that is lent in place keeps its git directory', async () => {
  const house = makeHouse()
  const before = house.fingerprint()
  const task = await runConfined(
    house,
    `try config write .git/config; try hook write .git/hooks/post-checkout; try head write .git/HEAD
    try away mv .git elsewhere; try home write ~/planted; echo new >made.txt`,
    ...['--in-place'],
  )
  expect(answerOf(task)).toEqual(denied('config', 'hook', 'head', 'away', 'home'))
  expect(readFileSync(join(house.repo, 'made.txt'), 'utf8')).toBe('new\n')
  rmSync(join(house.repo, 'made.txt'))
  expect(house.fingerprint()).toBe(before)
})

test('full permissions: a swapped .git is a lost worktree, and nothing of it is run', async () => {
  const house = new House()
  const ran = join(house.scratch, 'payload-ran')
  const payload = join(house.scratch, 'payload')
  writeFileSync(payload, `#!/bin/sh\ntouch '${ran}'\ncat\n`, { mode: 0o755 })
  const id = await house.submitScript(
    `git init -q evil; echo '* filter=evil diff=evil' >.gitattributes; cd evil
    git config core.fsmonitor '${payload}'; git config filter.evil.clean '${payload}'
    git config diff.external '${payload}'; git config core.pager '${payload}'
    mkdir -p .git/hooks; for h in post-index-change reference-transaction pre-commit
    do ln -sf '${payload}' .git/hooks/$h; done; cd ..; echo changed >>kept.txt
    echo "gitdir: $PWD/evil/.git" >.git-new; mv .git-new .git; exit 0`,
  )
  expect(await house.wait(id)).toMatchObject({
    state: 'failed',
    error: { code: 'worktree_lost' },
    permissions: { effective: 'full', enforcedBy: 'none' },
  })
  for (const words of [['diff', id], ['status'], ['result', id], ['doctor'], ['logs', id]]) {
    await house.run(words)
  }
  expect(existsSync(ran)).toBe(false)
  // The trap is a real one: plain git walks into it.
  house.gitIn(house.worktree(id), 'status')
  expect(existsSync(ran)).toBe(true)
})

test('programs that an agent plants in its worktree are not taken for ours', async () => {
  const house = new House(SLOTS)
  const ran = join(house.scratch, 'planted-ran')
  const tools = ['git', 'bwrap', 'setsid', 'sync', 'mv', 'sh', 'codex', 'clean-up']
  house.git('config', 'filter.tidy.clean', 'clean-up 2>/dev/null || cat')
  house.write('.gitattributes', '*.txt filter=tidy\n')
  house.git('add', '.')
  house.git('commit', '--quiet', '--message=filter')
  // Relative entries, as people have them for npm, and the worktree's own directories.
  const id = await house.submitScript(
    `mkdir bin; for t in ${tools.join(' ')}; do printf '#!/bin/sh\\ntouch ${ran}\\nexit 1\\n' >bin/$t
    chmod +x bin/$t; cp bin/$t .; done; echo changed >>kept.txt; touch planted; exec sleep 300`,
  )
  await eventually('all is planted', () => existsSync(join(house.worktree(id), 'planted')))
  const worktree = house.worktree(id)
  const environment = {
    PATH: `.:bin:./bin::${worktree}/bin:${worktree}:${house.environment.PATH}`,
  }
  await house.ok(['worker', 'stop'])
  // A worker and commands that are started with such a PATH.
  expect((await house.run(['diff', id], { environment, directory: worktree })).stdout).toContain(
    '+changed',
  )
  await house.ok(['worker', 'start'], { environment, directory: worktree })
  const next = await house.submit(['command', '--', '/bin/sh', '-c', 'echo x >y'], { environment })
  expect((await house.wait(next)).state).toBe('succeeded')
  // From elsewhere: whoever stands in the worktree is ended with the task.
  await house.ok(['cancel', id], { environment, directory: house.repo })
  expect(await house.ok(['diff', id], { environment })).toContain('+changed')
  expect(existsSync(ran)).toBe(false)
})

test('a filter of the user’s own is run where the user’s files are, not the agent’s', async () => {
  const house = new House()
  const ran = join(house.scratch, 'agents-ran')
  house.git('config', 'filter.tidy.clean', './tools/tidy')
  house.write('.gitattributes', '*.dat filter=tidy\n')
  house.write('tools/tidy', '#!/bin/sh\ntr a-z A-Z\n')
  chmodSync(join(house.repo, 'tools/tidy'), 0o755)
  house.write('a.dat', 'as it is\n')
  house.git('add', '.')
  house.git('commit', '--quiet', '--message=filter')
  const script = `printf '#!/bin/sh\\ntouch ${ran}\\n' >tools/tidy; echo shout >a.dat; echo more >b.dat`
  const id = await house.submitScript(
    `${script}; touch under-way; until [ -e go ]; do sleep 0.05; done`,
  )
  await house.underWay(id)
  expect(await house.ok(['diff', id])).toContain('+SHOUT')
  house.write('go', '', house.worktree(id))
  expect((await house.wait(id)).state).toBe('succeeded')
  const patch = await house.ok(['diff', id])
  for (const line of ['+SHOUT', '+MORE']) expect(patch).toContain(line)
  expect(existsSync(ran)).toBe(false)
})

test('links out of the worktree are taken as links, and not followed', async () => {
  const house = new House()
  house.write('secret/id_x', 'TOP SECRET\n', house.scratch)
  house.write('sub/id_x', 'mine\n')
  house.write('sub/deep/id_x', 'mine\n')
  house.git('add', '.')
  house.git('commit', '--quiet', '--message=sub')
  const before = house.fingerprint()
  const secret = join(house.scratch, 'secret')
  const script = `rm -r sub; ln -s '${secret}' sub; ln -s '${secret}/id_x' leak; rm kept.txt
    ln -s '${secret}/id_x' kept.txt; ln -s '${house.repo}' repository`
  const id = await house.submitScript(script)
  expect((await house.wait(id)).state).toBe('succeeded')
  const patch = await house.ok(['diff', id])
  expect(patch).not.toContain('TOP SECRET')
  for (const name of ['sub', 'leak', 'kept.txt']) expect(patch).toContain(`b/${name}`)
  expect(readFileSync(join(secret, 'id_x'), 'utf8')).toBe('TOP SECRET\n')
  expect(house.fingerprint()).toBe(before)

  // Nor is the place where the next attempt would stand.
  const below = { directory: join(house.repo, 'sub') }
  const crash = `cd ..; mv sub old; ln -s '${secret}' sub; touch ready; exec sleep 300`
  const flags = ['--permissions', 'full', '--retry-on-crash']
  const again = await house.submit(['command', ...flags, '--', '/bin/sh', '-c', crash], below)
  await eventually('the link is there', () => existsSync(join(house.worktree(again), 'ready')))
  process.kill(house.pid(again), 'SIGKILL')
  expect(await house.wait(again)).toMatchObject({
    state: 'failed',
    error: { code: 'worktree_lost', message: expect.stringContaining('sub') },
  })
})

describe('where nothing can confine a program', () => {
  /** A system in which it cannot: `bwrap` itself makes one, where there is one. */
  const hideBubblewrap = (house: House): readonly string[] => {
    const found = (house.environment.PATH ?? '')
      .split(':')
      .concat('/usr/bin', '/bin', '/usr/local/bin')
      .map(directory => join(directory, 'bwrap'))
      .filter(path => existsSync(path))
    const covers = [...new Set(found)].flatMap(path => ['--ro-bind', '/dev/null', path])
    return canConfine ? [found[0] ?? '', '--dev-bind', '/', '/', ...covers, '--'] : []
  }

  test('it is refused before anything is made, with what to install, and the way without', async () => {
    const house = new House()
    house.write('holdfast.json', '{ "verify": "npm test" }')
    const entry = join(import.meta.dirname, '../../bin/holdfast.cjs')
    for (const [status, ...words] of [
      [6, 'run', 'command', '--', 'true'],
      [6, 'run', '--permissions', 'read-only', 'command', '--', 'true'],
      // What is to be verified would be refused then.
      [5, 'trust'],
    ] as const) {
      const [program = '', ...args] = [...hideBubblewrap(house), process.execPath, entry, ...words]
      const options = { cwd: house.repo, env: house.environment, encoding: 'utf8' } as const
      let failure: { status?: number; stderr?: string } = {}
      try {
        execFileSync(program, args, { ...options, stdio: 'pipe' })
      } catch (error) {
        failure = error as typeof failure
      }
      expect(failure).toMatchObject({ status })
      expect(failure.stderr).toMatch(/nothing can confine a program/)
      expect(failure.stderr).toMatch(/--permissions full/)
      expect(existsSync(join(house.home, 'tasks'))).toBe(false)
      expect(house.git('for-each-ref', 'refs/holdfast/')).toBe('')
    }
  })

  confinedTest('any more, the task fails, and is not run without', async () => {
    const house = makeHouse()
    // Found by this one name alone, which goes away.
    const tools = join(house.scratch, 'tools')
    mkdirSync(tools)
    const real = execFileSync('/bin/sh', ['-c', 'command -v bwrap'], { encoding: 'utf8' }).trim()
    writeFileSync(join(tools, 'bwrap'), `#!/bin/sh\nexec '${real}' "$@"\n`, { mode: 0o755 })
    const script = `echo ran >>'${house.scratch}/ran'; touch ready; exec sleep 300`
    const flags = ['--permissions', 'workspace', '--retry-on-crash']
    if (['/usr/bin/bwrap', '/bin/bwrap', '/usr/local/bin/bwrap'].some(path => existsSync(path))) {
      return // The system's own comes first: it cannot be taken away here.
    }
    house.environment.PATH = `${tools}:${(house.environment.PATH ?? '')
      .split(':')
      .filter(directory => !existsSync(join(directory, 'bwrap')))
      .join(':')}`
    const id = await house.submitScript(script, ...flags)
    await eventually('it is ready', () => existsSync(join(house.worktree(id), 'ready')))
    rmSync(join(tools, 'bwrap'))
    process.kill(await house.workerPid(), 'SIGKILL')
    process.kill(house.pid(id), 'SIGKILL')
    expect(await house.wait(id)).toMatchObject({
      state: 'failed',
      error: { code: 'permissions_unavailable' },
    })
    expect(existsSync(join(house.scratch, 'ran'))).toBe(false)
  })
})

/** Of a process that lives. */
function parentOf(pid: number): number {
  return Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
}
