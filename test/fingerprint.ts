import { createHash } from 'node:crypto'
import { existsSync, lstatSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'

/**
 * Everything of a checkout that our promise names: files, index bytes, HEAD, refs of the user's,
 * stash. `git` runs git in the checkout and gives what it printed. `times`: also when each file was
 * written.
 */
export function fingerprint(
  directory: string,
  git: (...words: string[]) => string,
  times = true,
): string {
  const hash = createHash('sha256')
  const add = (path: string) => {
    for (const name of readdirSync(path).sort()) {
      if (name === '.git') continue
      const full = join(path, name)
      const { mode, mtimeMs } = lstatSync(full)
      hash.update(`${full} ${mode} ${times ? mtimeMs : ''}`)
      if (statSync(full).isDirectory()) add(full)
      else hash.update(readFileSync(full))
    }
  }
  add(directory)
  const gitDir = gitDirOf(directory)
  hash.update(readFileSync(join(gitDir, 'index')))
  hash.update(readFileSync(join(gitDir, 'HEAD')))
  const refs = git('for-each-ref', '--format=%(refname) %(objectname)')
  hash.update(refs.replace(/^refs\/holdfast\/.*\n/gm, ''))
  // The newest stash is a ref, the others are lines of its log.
  const link = join(gitDir, 'commondir')
  const common = existsSync(link) ? resolve(gitDir, readFileSync(link, 'utf8').trim()) : gitDir
  const stashes = join(common, 'logs', 'refs', 'stash')
  if (existsSync(stashes)) hash.update(readFileSync(stashes))
  return hash.digest('hex')
}

function gitDirOf(directory: string): string {
  const path = join(directory, '.git')
  if (lstatSync(path).isDirectory()) return path
  return resolve(directory, readFileSync(path, 'utf8').trim().slice('gitdir: '.length))
}
