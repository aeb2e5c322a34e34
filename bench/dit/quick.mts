// The study in minutes: a few of the test's diffs, trained afresh, and what the adapter that comes with pocket-chat, which saw none of them, makes of them, beside asking and probing without it.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Gpu } from '@limn/gpu';
import type { ChatWorld } from '@limn/tasks/chat';
import { POCKET_CHAT, openDitAdapter, openModel } from 'limn';
import { mean, percent } from '../markdown-table.mjs';
import { methodTable } from './main-table.mjs';
import { shuffledShare } from './measure.mjs';
import { trainedPack } from './packs.mjs';
import { FULL } from './plan.mjs';
import { probed } from './probing.mjs';
import { topicReadings } from './readings.mjs';
import { guessScores, readingScores } from './study.mjs';
import type { MethodRow } from './summary.mjs';
import { knownDiffs } from './truth.mjs';

/** Diffs that are trained: minutes either way, one on lavapipe and four on SwiftShader. */
const diffsFor = ({ capabilities }: Gpu): number => (capabilities.source === 'swiftshader' ? 6 : 12);

/** The table of the study over so few diffs, as text. */
export async function quickTable(gpu: Gpu, world: ChatWorld): Promise<string> {
  const folder = mkdtempSync(path.join(tmpdir(), 'limn-dit-'));
  try {
    const count = diffsFor(gpu);
    const plan = { plans: [`topics:test:${count}`], together: count };
    const test = knownDiffs(await trainedPack(POCKET_CHAT, path.join(folder, 'test'), plan, FULL), world);
    using model = await openModel(gpu, POCKET_CHAT);
    const { lora } = await openDitAdapter(model, POCKET_CHAT);
    const told = await topicReadings(model.hooked, lora, test, world);
    const [questions] = FULL.probes;
    const guessed = async (code: 'none' | 'right'): Promise<MethodRow['scores']> => [
      guessScores(await probed(model.hooked, test, { code, questions }, world)),
    ];
    const rows: MethodRow[] = [
      { name: 'DIT', given: 'nothing', scores: [readingScores(told)] },
      {
        name: 'asked, without an adapter',
        given: 'nothing',
        scores: [readingScores(await topicReadings(model.hooked, null, test, world))],
      },
      { name: 'questions without a code', given: 'nothing', scores: await guessed('none') },
      { name: 'questions with the right code', given: 'code', scores: await guessed('right') },
    ];
    const open = (condition: string): string =>
      percent(mean(test.flatMap(({ diff }) => diff.gate?.[condition]?.mean ?? [])));
    const said = told.map((each) => `${each.label}: ${each.said}`).join(', ');
    return `${methodTable(rows)}

${test.length} diffs of topics and codes that the adapter never saw, trained just now; * was given the code. Of other diffs its answers would be right in ${percent(shuffledShare(told))}.
Gates: words of the topic at ${open('right')} of places behind the code, ${open('wrong')} behind another, ${open('none')} behind none.
It said of ${said}.`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
