// Exit codes by error code; every family of codes in the source of every package is known to the table.
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { AbortedError, DeviceLostError, LimnError, OutOfMemoryError } from '@limn/gpu';
import { TasksError } from '@limn/tasks';
import { describe, expect, it } from 'vitest';
import { EXIT, exitCodeOf } from '../src/exit-code.js';

const errno = (code: string): Error => Object.assign(new Error(code), { code });

describe('exitCodeOf', () => {
  it.each([
    [new Error('a bug'), EXIT.failure],
    ['a string', EXIT.failure],
    [new LimnError('gpu/shader', 'does not compile'), EXIT.failure],
    [new LimnError('tensor/shape', 'a bug of ours'), EXIT.failure],
    [new LimnError('usage/bad-number', ''), EXIT.usage],
    [new LimnError('hooks/unknown-site', ''), EXIT.usage],
    [new TasksError('tasks/unknown-task', ''), EXIT.usage],
    [new DeviceLostError(''), EXIT.resource],
    [new OutOfMemoryError(''), EXIT.resource],
    [new LimnError('gpu/no-adapter', ''), EXIT.resource],
    [new LimnError('files/write', ''), EXIT.resource],
    [errno('ENOSPC'), EXIT.resource],
    [errno('EROFS'), EXIT.resource],
    [errno('ENOENT'), EXIT.data],
    [new LimnError('safetensors/overlap', ''), EXIT.data],
    [new LimnError('config/bad-value', ''), EXIT.data],
    [new LimnError('load/over-budget', ''), EXIT.resource],
    [new LimnError('hub/wrong-digest', ''), EXIT.data],
    [new LimnError('hub/disk-space', ''), EXIT.resource],
    [new LimnError('hub/unreachable', ''), EXIT.resource],
    [new LimnError('hub/rate-limited', ''), EXIT.resource],
    [new LimnError('hub/not-found', ''), EXIT.data],
    [new LimnError('files/fetch', 'no answer', { details: { reason: 'ECONNREFUSED' } }), EXIT.resource],
    [new LimnError('files/fetch', 'unavailable', { details: { status: 503 } }), EXIT.resource],
    [new LimnError('files/fetch', 'a web page', { details: { type: 'text/html' } }), EXIT.data],
    [new LimnError('files/fetch', 'not allowed', { details: { status: 401 } }), EXIT.data],
    [new LimnError('weights/not-finite', ''), EXIT.data],
    [new LimnError('tokens/too-long', ''), EXIT.data],
    [new LimnError('data/pairs-length-mismatch', ''), EXIT.data],
    [new AbortedError(''), EXIT.interrupted],
    [new DOMException('stop', 'AbortError'), EXIT.interrupted],
  ])('%s → %i', (error, code) => expect(exitCodeOf(error)).toBe(code));

  it('knows every family of codes that the packages throw', () => {
    const packages = path.resolve(import.meta.dirname, '../..');
    const families = new Set<string>();
    for (const name of readdirSync(packages)) {
      for (const file of sourcesOf(path.join(packages, name, 'src'))) {
        for (const [, family] of readFileSync(file, 'utf8').matchAll(/new LimnError\(\s*['`]([a-z]+)\//g))
          families.add(family as string);
      }
    }
    expect(families.size).toBeGreaterThan(5);
    const failures = [...families].filter((family) => exitCodeOf(new LimnError(`${family}/x`, '')) === EXIT.failure);
    // These are mistakes of a program, not of the person at the terminal; `verify` says that a program is wrong.
    expect(failures.sort()).toEqual(
      failures.filter((family) => ['gpu', 'hooks', 'tensor', 'testing', 'training', 'verify'].includes(family)).sort(),
    );
  });
});

function sourcesOf(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => path.join(folder, name));
  } catch {
    return [];
  }
}
