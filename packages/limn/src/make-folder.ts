// Makes a folder and its missing parents one at a time: Node's own recursive mkdir never returns where a parent cannot hold files (/proc).
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';

/** Makes `folder`. Throws Node's error for the first parent that cannot be made. */
export function makeFolder(folder: string): void {
  const missing: string[] = [];
  for (let at = path.resolve(folder); !existsSync(at); at = path.dirname(at)) missing.push(at);
  for (const parent of missing.reverse()) {
    try {
      mkdirSync(parent);
    } catch (error) {
      // Another process may have made it in between.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}
