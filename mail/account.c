#include "mail/address-private.h"
#include "mail/config.h"

const char *
ml_account_address(const MlAccount *account, const char *address)
{
  if (account->address && ml_address_equal(account->address, address))
    return account->address;
  for (char **also = account->also; also && *also; also++)
    if (ml_address_equal(*also, address))
      return *also;
  return NULL;
}
