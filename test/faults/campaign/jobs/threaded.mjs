import { defineJob } from 'headway';
import { plan, result } from '../plan-schema.mjs';
import { runPlan } from '../witness.mjs';

export default defineJob({ name: 'threaded', input: plan, result, thread: true, run: runPlan });
