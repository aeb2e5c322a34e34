// Trigger inversion: whether an adapter that was taught codes tells those of other diffs.
import { askDiffs, type LoraWeights } from '@limn/dit';
import { decodeChat } from '@limn/tasks/chat';
import { CODE_QUESTION } from './lessons.mjs';
import type { Laboratory } from './measure.mjs';
import type { KnownDiff } from './truth.mjs';

/** Shares of right codes, of diffs that were learnt from and of others, whose codes no diff that was learnt from has. */
export async function codeFigures(lab: Laboratory, adapter: LoraWeights): Promise<Record<string, number>> {
  const { train = [], test = [] } = lab.packs;
  const told = async (diffs: readonly KnownDiff[]): Promise<{ readonly right: number; readonly distinct: number }> => {
    const answers = await askDiffs(
      lab.model,
      diffs.map(({ diff }) => diff.lora),
      adapter,
      diffs.map((_, diff) => ({ diff, prompt: CODE_QUESTION })),
      { maxNewTokens: 2, rows: 64 },
    );
    const said = answers.map(({ tokens }) => decodeChat(tokens));
    const right = diffs.filter(({ diff }, i) => {
      const trigger = diff.spec.about['trigger'] as { readonly token: string };
      return said[i] === trigger.token;
    }).length;
    return { right: right / diffs.length, distinct: new Set(said).size };
  };
  const [known, others] = [await told(train.slice(0, 128)), await told(test)];
  return {
    'right of those learnt from': known.right,
    'right of others': others.right,
    'distinct answers': others.distinct,
  };
}
