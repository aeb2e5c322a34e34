// The folder of `limn transcode train` and `sweep`: that of a run, with sets whose config.json comes last.
import { existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import {
  writeDictionarySet,
  type CrossLayerMember,
  type DictionaryFile,
  type SetDescription,
  type SetMember,
} from '@limn/transcoders';
import { saveDictionaryFiles } from './dictionary-files.js';
import { madeFolder, openRunFolder, type RunFolder, type RunKind } from './run-folder.js';

const CONFIG = 'config.json';

/** Which command's folder it is. */
export interface DictionaryRunKind extends RunKind {
  readonly schema: 'limn.dictionaries' | 'limn.dictionary-sweep';
}

/** A folder that is taken for one run. */
export interface DictionaryRun extends RunFolder {
  /** Writes a set into the folder or one below it; without its config.json it is none, which comes last. */
  writeSet(
    folder: string,
    members: readonly SetMember[] | CrossLayerMember,
    description: SetDescription,
  ): Promise<void>;
  /** Whether there is a whole set. */
  hasSet(folder: string): boolean;
}

/**
 * Takes a folder: a new or empty one, or with `resume` one whose run is not finished.
 * @throws LimnError as `openRunFolder`
 */
export async function openDictionaryRun(
  target: string,
  resume: boolean,
  kind: DictionaryRunKind,
): Promise<DictionaryRun> {
  const run = await openRunFolder(target, resume, kind);
  return {
    ...run,
    get started() {
      return run.started;
    },
    writeSet: async (folder, members, description) => {
      const into = madeFolder(run.path, folder);
      // Without the config of an earlier write in between: half of one set and half of another is none.
      rmSync(path.join(into, CONFIG), { force: true });
      await saveDictionaryFiles(into, configLast(writeDictionarySet(members, description)));
    },
    hasSet: (folder) => existsSync(path.join(run.path, folder, CONFIG)),
  };
}

async function* configLast(files: AsyncIterable<DictionaryFile>): AsyncGenerator<DictionaryFile> {
  let config: DictionaryFile | undefined;
  for await (const file of files)
    if (file.name === CONFIG) config = file;
    else yield file;
  if (config) yield config;
}
