// The commands by which a reader gets a case's graph, paths and features with pages.
import { idOf } from '@limn/tasks';
import type { CaseFinding } from './study.mjs';

const SET = '--model pocket --transcoders pocket';

/** Of the example that is drawn, with the answers that are explained. */
export function commandsOf({ id, example, features }: CaseFinding): string[] {
  const list = (words: readonly string[]): string => words.map((word) => JSON.stringify(word)).join('+');
  // A word that is no single token would be refused by the command.
  for (const word of [...example.up, ...example.down]) idOf(word);
  const prompt = `--prompt ${JSON.stringify(example.text)} --target 'diff:${list(example.up)},${list(example.down)}'`;
  const shown = features
    .slice(0, 4)
    .map(({ layer, feature }) => `${layer}:${feature}`)
    .join(',');
  return [
    `npx limn features graph ${SET} --check --out ${id}-graph \\\n  ${prompt}`,
    `npx limn features paths ${SET} \\\n  ${prompt}`,
    `npx limn features dashboards ${SET} --features ${shown} --out ${id}-features`,
  ];
}
