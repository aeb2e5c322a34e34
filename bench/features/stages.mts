// Parts of a study that take minutes, each kept in a file of its own once it is done, so that a study goes on where it stopped.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { save } from '../result-file.mjs';

/** Does a part, or takes it from an earlier run of the same settings. What a part gives must survive JSON. */
export type Stage = <T>(name: string, work: () => Promise<T>) => Promise<T>;

interface Kept<T> {
  readonly key: string;
  readonly seconds: number;
  readonly result: T;
}

/** Without a folder nothing is kept. `header` are the settings that all parts depend on; `onDone` is told what a part took, when it was done. */
export function stages(
  folder: string | undefined,
  header: unknown,
  onDone: (name: string, seconds: number) => void,
): Stage {
  const key = JSON.stringify(header);
  return async <T,>(name: string, work: () => Promise<T>): Promise<T> => {
    const file = folder === undefined ? undefined : path.join(folder, `${name.replaceAll(/[^a-z0-9]+/gi, '-')}.json`);
    if (file !== undefined && existsSync(file)) {
      const kept = JSON.parse(readFileSync(file, 'utf8')) as Kept<T>;
      if (kept.key === key) {
        onDone(name, kept.seconds);
        return kept.result;
      }
    }
    const started = performance.now();
    const result = await work();
    const seconds = (performance.now() - started) / 1000;
    onDone(name, seconds);
    if (file !== undefined) save(file, JSON.stringify({ key, seconds, result } satisfies Kept<T>));
    return result;
  };
}
