# Usage requirements that every target of kit's own has, and no consumer inherits.

add_library(kit_compile INTERFACE)
target_compile_options(
  kit_compile
  INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor $<$<BOOL:${KIT_WARNINGS_AS_ERRORS}>:-Werror>
)
if(KIT_SANITIZE)
  target_compile_options(
    kit_compile
    INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
  )
  target_link_options(kit_compile INTERFACE -fsanitize=address,undefined)
endif()
