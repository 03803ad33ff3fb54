#include "core/program_description.h"

#include <kit/error.h>

#include "core/fields.h"

namespace kit {

ProgramDescription ProgramDescription::parse(std::string_view json, const std::string& where) {
  std::string reason = "it is no valid JSON";
  try {
    const fields::Json root = fields::Json::parse(json);
    const std::string what = "it";
    ProgramDescription result{fields::text(root, "method", what), fields::text(root, "target", what), {}};
    for (const fields::Json& size : fields::array(root, "constants", what))
      result.constants.push_back(static_cast<std::uint64_t>(fields::count(size, "the size of a constant")));
    if (root.contains("rows_per_thread")) {
      result.rows_per_thread = fields::count(root["rows_per_thread"], "'rows_per_thread'");
      if (*result.rows_per_thread == 0) throw fields::Fault("'rows_per_thread' is 0");
    }
    return result;
  } catch (const fields::Fault& fault) {
    reason = fault.what();
  } catch (const fields::Json::exception&) {  // the reason is set
  }
  throw Error(ErrorCode::archive,
              where + " describes itself wrongly: " + reason + "; export the model again");
}

}  // namespace kit
