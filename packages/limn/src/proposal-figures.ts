// What trying an adapter's proposals on base + diff gains: the figures of its answers about topics, ranked again.
import { LimnError } from '@limn/gpu';
import type { RankedCandidates } from './asked-diffs.js';
import type { CommandContext } from './context.js';
import type { OpenDitAdapter } from './dit-adapter-folder.js';
import type { EvaluatedAdapter, EvaluationRequest } from './evaluated-adapter.js';
import { answerFigures, measuredAnswer, type AnswerFigures } from './measured-adapter.js';
import { chatProbes, triedProposals } from './proposal-search.js';
import { answerTokens } from './question-file.js';

/** Proposals of each diff that are tried, and prompts that each is tried on. */
export const PROPOSALS = 5;
export const PROBES = 16;

/**
 * Figures of the question about topics with the candidates in the order that the search leaves, and as the answer what it put in front of the adapter's first, of diffs that there is something to tell of. Candidates that were not tried keep their place by
 * probability.
 * @throws LimnError `usage/dit-question` where topics were not asked about; as `triedProposals`
 */
export async function searchedFigures(
  { model, questions, diffs, seed }: EvaluationRequest,
  { answers }: EvaluatedAdapter,
  world: OpenDitAdapter['record']['world'],
  context: CommandContext,
): Promise<AnswerFigures[]> {
  const question = questions.find(({ name }) => name === 'topic');
  if (!question || world !== 'chat')
    throw new LimnError('usage/dit-question', '--search tries topics of the chat world, and none were asked about', {
      hint: 'ask --question topic of an adapter that was trained on it',
    });
  const byName = new Map(diffs.map((diff) => [diff.name, diff]));
  const asked = answers.flatMap((answer) => {
    const diff = byName.get(answer.diff);
    const { among } = answer.answer;
    return answer.question === 'topic' && diff?.kind === 'topic' && diff.lora && among
      ? [{ answer, diff, proposed: { lora: diff.lora, among } }]
      : [];
  });
  const tried = await triedProposals(
    model,
    question,
    asked.map(({ proposed }) => proposed),
    chatProbes(PROBES, seed),
    PROPOSALS,
    context,
  );
  const measured = asked.map(({ answer, diff, proposed }, i) => {
    const own = tried[i] ?? [];
    // Gains are of scores at the calibrated temperature.
    const temperature = question.calibration?.temperature ?? 1;
    const scores = proposed.among.scores.map((score) => score / temperature);
    for (const { candidate, gain } of own) scores[candidate] = (scores[candidate] as number) + gain;
    // Only what the search moved to the front is said instead: whoever leads already keeps the adapter's own words.
    const [best] = own;
    const isMoved = best !== undefined && best.probability < Math.max(...own.map(({ probability }) => probability));
    const among: RankedCandidates = { ...proposed.among, scores };
    const said = {
      ...answer.answer,
      among,
      ...(isMoved && among.decision !== 'none' ? { text: best.text, ended: true } : {}),
    };
    return measuredAnswer(diff, question, answer.label, answerTokens(answer.label, model)[0], said);
  });
  return measured.length === 0 ? [] : answerFigures(measured, seed);
}
