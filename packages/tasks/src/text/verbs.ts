// English verbs by their plain form, and the form that agrees with a singular subject.
import { words } from './source.js';

/** The few whose third person is not made by a rule: [singular, plural]. */
const IRREGULAR: readonly (readonly [string, string])[] = [
  ['is', 'are'],
  ['was', 'were'],
  ['has', 'have'],
  ['does', 'do'],
  ['goes', 'go'],
];

const REGULAR = words(`
  absorb abuse accept accommodate accompany accomplish account accuse achieve acknowledge acquire act adapt add address adhere adjust
  admire admit adopt advance advertise advise advocate affect agree aid aim allege allocate allow alter amount amuse analyze announce
  answer anticipate appeal appear apply appoint appreciate approach approve argue arise arrange arrest arrive ask aspire assemble assert
  assess assign assist associate assume assure attach attack attempt attend attract attribute avoid await award bake balance ban battle
  bear beat become beg begin behave believe belong bend benefit bet bind bite blame bleed blend block blow boast boil borrow bother bounce
  break breathe breed bring broadcast build burn bury buy calculate call campaign cancel capture care carry carve cast catch cause cease
  celebrate challenge change charge chase check cheer choose circulate cite claim clean clear click climb cling close coincide
  collaborate collapse collect combine come comfort command comment commit communicate compare compel compete complain complement
  complete comply comprise compromise conceal concede conceive concern conclude condemn conduct confess confirm conflict confront confuse
  connect consider consist constitute construct consult consume contact contain contend continue contract contradict contrast contribute
  control convert convey convince cook cooperate coordinate cope copy correct correspond cost count counter cover crack crash crave crawl
  create creep criticize cross crush cry cure curse cut dance dare deal debate decide declare decline decorate decrease dedicate deem
  defeat defend define defy delay delete deliver demand demonstrate deny depart depend depict derive descend describe deserve design
  desire destroy detail detect determine develop devote diagnose dictate die differ dig digest diminish direct disagree disappear discard
  discover discuss dislike dismiss display dispute distinguish distort distribute dive divide dominate donate doubt draft drag drain
  draw dream dress drift drink drive drop dry dump dwell earn ease eat echo edit educate eliminate embark embody embrace emerge emit
  emphasize employ empower enable encompass encounter encourage end endorse endure enforce engage enhance enjoy ensure entail enter
  entertain equal erase escape establish estimate evaluate evolve examine exceed exchange exclude execute exercise exert exhibit exist
  exit expand expect experience explain explode exploit explore export expose express extend extract face facilitate fade fail fall fear
  feature feed feel fight figure file fill film find finish fire fit fix flee float flood flow fly focus fold follow force foresee forget
  forgive form foster fuel fulfill function fund gain gather gaze generate get give glance govern grab grant grasp greet grind grip grow
  guarantee guard guess guide halt handle hang happen harm hate haunt head heal hear heat help hesitate hide highlight hinder hint hire hit
  hold honor hope host hunt hurt identify ignore illustrate imagine imitate impact implement imply import impose impress improve include
  incorporate increase incur indicate induce infer inflict influence inform inherit inhibit initiate inject insert insist inspect inspire
  install insult insure integrate intend interact interfere interpret interrupt intervene introduce invade invent invest investigate
  invite invoke involve issue join joke judge jump justify keep kick kill kiss knock know label lack land last laugh launch lead lean leap
  learn leave lend let level lie lift light like limit linger link list listen live load lock look loom lose love lower maintain make
  manage manifest manipulate mark market match matter mean measure meet melt mention merge mind mirror miss mix modify monitor motivate
  mount mourn move multiply murder name narrate need neglect negotiate nod note notice number obey object observe obtain occupy occur offend
  offer omit open operate oppose opt order originate outline outweigh overcome overlap oversee owe own paint park participate pass pause
  pay peak peer penetrate perceive perform permit persist persuade pick place plan plant play plead please plot plunge point pop portray
  pose possess post pour practice praise pray precede predict prefer prepare prescribe present preserve press presume prevail prevent print
  proceed process proclaim produce prohibit project promise promote prompt pronounce propose protect protest prove provide provoke
  publish pull pump punish purchase pursue push put qualify question quit quote race raise range rank rate reach react read realize reason
  recall receive recognize recommend record recover recruit reduce refer reflect refuse regain regard register regret regulate
  reign reinforce reject relate relax release rely remain remember remind remove render renew rent repair repeat replace reply report
  represent reproduce request require rescue resemble resent reserve reside resign resist resolve resort respect respond rest restore
  restrict result resume retain retire retreat return reveal reverse revert review revise revolve reward ride ring rise risk roam roar
  roll rotate ruin rule run rush sacrifice sail satisfy save say scan scare scatter score scream screen seal search secure see seek seem
  seize select sell send sense separate serve set settle shake shape share shed shift shine shoot shout show shrink shut sigh sign signal
  simplify sing sink sit slam sleep slide slip slow smell smile smoke snap solve sort sound span spare spark speak specialize specify spell
  spend spill spin split spoil sponsor spot spread spring squeeze stab stand stare start state stay steal stem step stick stimulate stir
  stop store strengthen stress stretch strike strip strive struggle study submit succeed suck suffer suggest suit summarize supply support
  suppose suppress surprise surrender surround survive suspect sustain swallow swear sweat sweep swim swing switch symbolize tackle
  take talk target taste teach tear tell tempt tend test testify thank think thrive throw tie touch tour trace track trade trail train
  transcend transfer transform translate transmit transport trap travel treat trick trigger trust try turn twist undergo undermine
  understand undertake unfold unite unlock update upset urge use utilize value vanish vary venture view violate visit voice vote vow
  wait wake walk want warn warrant wash waste watch water wear weigh welcome whisper win wipe wish withdraw witness wonder work worry wrap
  write yell yield`);

/** The form of a regular verb that agrees with a singular subject: keeps, watches, flies, undergoes. */
export const thirdPerson = (verb: string): string => {
  if (/[^aeiou]y$/.test(verb)) return `${verb.slice(0, -1)}ies`;
  return /(s|x|z|ch|sh|o)$/.test(verb) ? `${verb}es` : `${verb}s`;
};

/** [singular, plural] forms of all of them. */
export const VERBS: readonly (readonly [string, string])[] = [
  ...IRREGULAR,
  ...REGULAR.map((verb): readonly [string, string] => [thirdPerson(verb), verb]),
];
