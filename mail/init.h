#ifndef ML_INIT_H
#define ML_INIT_H

/* Starts GMime once for the process. Any thread; called by every function of this folder that uses GMime. It is
 * never shut down: its tables live as long as the process. */
void ml_init(void);

#endif
