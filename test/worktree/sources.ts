/** The states of a working tree that a capture and a new worktree must get right. */
import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import type { Repository } from './scene.ts'

export interface Source {
  readonly name: string
  readonly prepare: (repository: Repository) => void
}

const odd = (name: string, path: string | Buffer): Source => ({
  name: `a changed and a new file with ${name} in their names`,
  prepare: repository => {
    repository.write(path, 'before\n')
    repository.commit()
    repository.write(path, 'after\n')
    repository.write(Buffer.concat([Buffer.from('new/'), Buffer.from(path)]), 'new\n')
  },
})

export const sources: readonly Source[] = [
  odd('spaces', ' two  spaces '),
  odd('a newline', 'line\nbreak'),
  odd('a tab and quotes', 'tab\t"quoted" \'single\''),
  odd('a backslash', 'back\\slash\\101'),
  odd('letters beyond ASCII', 'größe-日本語-🚀'),
  odd('bytes that are no UTF-8', Buffer.from([0x66, 0xff, 0xfe, 0x80])),
  odd('a dash in front', '--force'),
  odd('a colon and stars', ':(top)*.[a]?'),
  {
    name: 'an exec bit set and nothing else',
    prepare: repository => chmodSync(repository.at('script.sh'), 0o755),
  },
  {
    name: 'symbolic links: new, dangling, outward, retargeted, and in place of a file',
    prepare: repository => {
      symlinkSync('kept.txt', repository.at('old-link'))
      repository.commit()
      rmSync(repository.at('old-link'))
      symlinkSync('edited.txt', repository.at('old-link'))
      symlinkSync('nowhere at\nall', repository.at('dangling'))
      symlinkSync('/etc', repository.at('outward'))
      repository.remove('removed.txt')
      symlinkSync('kept.txt', repository.at('removed.txt'))
    },
  },
  {
    name: 'a tracked directory replaced by a link to one with the same names',
    prepare: repository => {
      mkdirSync(repository.at('../outside'))
      repository.write('../outside/a.txt', 'not yours\n')
      repository.remove('directory')
      symlinkSync('../outside', repository.at('directory'))
    },
  },
  { name: 'deletions', prepare: repository => repository.remove('directory') },
  {
    name: 'a directory that became a file',
    prepare: repository => {
      repository.remove('directory')
      repository.write('directory', 'now a file\n')
    },
  },
  {
    name: 'a file that became a directory',
    prepare: repository => {
      repository.remove('edited.txt')
      repository.write('edited.txt/inside', 'now a directory\n')
    },
  },
  {
    name: 'one file staged and then edited again',
    prepare: repository => {
      repository.write('edited.txt', 'staged\n')
      repository.git('add', 'edited.txt')
      repository.write('edited.txt', 'edited after\n')
    },
  },
  {
    name: 'a change that is staged and undone on disk',
    prepare: repository => {
      repository.write('edited.txt', 'staged\n')
      repository.git('add', 'edited.txt')
      repository.write('edited.txt', 'one\ntwo\nthree\n')
    },
  },
  {
    name: 'a new file staged and deleted on disk',
    prepare: repository => {
      repository.write('staged-only.txt', 'only in the index\n')
      repository.git('add', 'staged-only.txt')
      repository.remove('staged-only.txt')
    },
  },
  {
    name: 'a deletion that is staged, with a new file at its place',
    prepare: repository => {
      repository.git('rm', '-q', '--cached', 'edited.txt')
      repository.write('edited.txt', 'untracked now\n')
    },
  },
  {
    name: 'a rename that is staged',
    prepare: repository => repository.git('mv', 'edited.txt', 'directory/moved.txt'),
  },
  {
    name: 'a staged file to directory, and a directory to file',
    prepare: repository => {
      repository.remove('edited.txt')
      repository.write('edited.txt/inside', 'now a directory\n')
      repository.remove('directory')
      repository.write('directory', 'now a file\n')
      repository.git('add', '-A')
    },
  },
  {
    name: 'an intent to add',
    prepare: repository => {
      repository.write('intended.txt', 'not yet\n')
      repository.git('add', '-N', 'intended.txt')
    },
  },
  {
    name: 'no index at all',
    prepare: repository => rmSync(`${repository.git('rev-parse', '--absolute-git-dir')}/index`),
  },
  {
    name: 'an index of version 4, with an edit',
    prepare: repository => {
      repository.git('update-index', '--index-version', '4')
      repository.write('edited.txt', 'edited\n')
    },
  },
  {
    name: 'a split index, with an edit',
    prepare: repository => {
      repository.git('update-index', '--split-index')
      repository.write('edited.txt', 'edited\n')
      repository.write('new.txt', 'staged\n')
      repository.git('add', 'new.txt')
    },
  },
  {
    name: 'an empty file, a binary one, and one too large to hold in memory',
    prepare: repository => {
      repository.write('empty', '')
      repository.write('binary', Buffer.from(Array.from({ length: 512 }, (_, n) => n % 256)))
      repository.write('large', Buffer.alloc(5 * 1024 * 1024 + 3, 'large and '))
    },
  },
  {
    name: 'ignored files beside untracked ones',
    prepare: repository => {
      repository.write('secret.ignored', 'stays here\n')
      repository.write('untracked.txt', 'comes along\n')
    },
  },
  {
    name: 'line ends that attributes convert',
    prepare: repository => {
      repository.write('.gitattributes', '*.dos text eol=crlf\n*.auto text=auto\n')
      repository.write('a.dos', 'one\r\ntwo\r\n')
      repository.write('b.auto', 'one\n')
      repository.commit()
      repository.write('a.dos', 'one\r\ntwo\r\nthree\r\n')
      repository.write('b.auto', 'one\ntwo\n')
      repository.write('new.dos', 'new\r\n')
    },
  },
  {
    name: 'a directory with an untracked file, renamed',
    prepare: repository => {
      repository.write('directory/new.txt', 'new\n')
      renameSync(repository.at('directory'), repository.at('renamed'))
    },
  },
]
