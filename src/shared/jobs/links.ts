/**
 * Returns the links to a job's resources.
 * @param base the path under which clients reach the service, such as `/headway`; "" for none
 */
export const jobLinks = (id: string, base: string) => ({
  self: `${base}/v1/jobs/${id}`,
  events: `${base}/v1/jobs/${id}/events`,
  cancel: `${base}/v1/jobs/${id}/cancel`,
  result: `${base}/v1/jobs/${id}/result`,
});
